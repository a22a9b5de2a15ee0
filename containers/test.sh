#!/usr/bin/env bash
# Run both images with everything taken away that they should not need, and compare with the same outside.
#   containers/test.sh                                PYTHON names a Python with the lock installed
set -euo pipefail
cd "$(dirname "$0")/.."
. containers/engine.sh
python=${PYTHON:-.venv/bin/python}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE NPY_DISABLE_CPU_FEATURES  # they change bits, and are not set inside
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

say() {  # NAME 'ok' or what is wrong
  [ "$2" = ok ] || failed=1
  printf '%-44s %s\n' "$1" "$2"
}
bare=("$ENGINE" run --rm --network none --read-only --cap-drop all --security-opt no-new-privileges)

# Of a size, as nobody, with nothing of the build left behind.
for image in assay:2400 assay-predict:400; do
  name=localhost/${image%:*} most=${image#*:}
  mb=$(($("$ENGINE" image inspect --format '{{.Size}}' "$name") / 1000000))
  say "$name: $mb MB, at most $most" "$([ "$mb" -lt "$most" ] && echo ok || echo 'too large')"
  seen=$("${bare[@]}" --entrypoint python "$name" -c '
import os, pathlib
status = dict(line.split(":\t") for line in pathlib.Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
left = [at for at in ("/etc/pip.conf", "/run/secrets", "/wheels/.") if os.path.exists(at) and os.listdir(at)]
own = [str(at) for at in pathlib.Path("/app").rglob("*") if os.access(at, os.W_OK) and at.name != "artifacts"]
print(os.getuid(), int(status["CapEff"], 16), status["NoNewPrivs"].strip(), status["Seccomp"].strip(), left, own)' 2>/dev/null)
  say "$name: user, capabilities, privileges, seccomp" "$([ "$seen" = '10001 0 1 2 [] []' ] && echo ok || echo "$seen")"
done

# The built-in study, made small: the same digests inside and outside.
small=(check hypotheses/digits.toml --runner local)
for one in split.folds=3 split.repeats=1 split.inner_folds=2 gate.permutations=60 gate.steps=40 \
  tune.trials=1 tune.seeds=1 tune.epochs=3; do
  small+=(--set "plan.a.$one")
done
install -d -m 777 "$folder/inside"
"${bare[@]}" -v "$folder/inside:/app/artifacts" localhost/assay "${small[@]}" > "$folder/inside.txt" 2>&1 ||
  say 'the built-in study, inside' "$(tail -n 1 "$folder/inside.txt")"
"$python" flows/main.py "${small[@]}" --artifacts "$folder/outside" > "$folder/outside.txt" 2>&1 ||
  say 'the built-in study, outside' "$(tail -n 1 "$folder/outside.txt")"
cat > "$folder/compare.py" <<'PYTHON'
import json, sys
from pathlib import Path
found = [json.loads(next(Path(at).glob("runs/*/manifest.json")).read_text())["same"] for at in sys.argv[1:]]
differ = [name for name in sorted(found[0]) if found[0][name] != found[1].get(name)]
print("differ: " + ", ".join(differ) if differ else "ok")
PYTHON
say 'every digest of manifest.json, inside and outside' "$("$python" "$folder/compare.py" "$folder/inside" "$folder/outside")"

# Predictions of its bundle: the same file inside and outside.
run=$(cd "$folder/inside/runs" && ls -d digits-*)
"$python" - "$folder" <<'PYTHON'
import sys
from sklearn.datasets import load_digits
load_digits(as_frame=True).data.to_parquet(f"{sys.argv[1]}/table.parquet")
PYTHON
install -d -m 777 "$folder/predicted"
for end in csv parquet; do
  "${bare[@]}" -v "$folder:/here:ro" -v "$folder/predicted:/out" localhost/assay-predict \
    "/here/inside/runs/$run" /here/table.parquet -o "/out/digits.$end" > "$folder/predict.txt" 2>&1 || true
  "$python" -m assay.predict "$folder/inside/runs/$run" "$folder/table.parquet" -o "$folder/digits.$end" >> "$folder/predict.txt" 2>&1 || true
  say "predictions as $end, inside and outside" \
    "$(cmp -s "$folder/predicted/digits.$end" "$folder/digits.$end" && echo ok || tail -n 1 "$folder/predict.txt")"
done

exit $failed
