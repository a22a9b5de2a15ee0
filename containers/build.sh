#!/usr/bin/env bash
# Build the unmodified Dockerfile as localhost/assay and its target `predict` as localhost/assay-predict.
#   containers/build.sh [assay] [assay-predict]      both, where none is named
# Where python:3.11-slim cannot be pulled, a stand-in for it is made with PYTHON (a Python 3.11), and the wheels
# are fetched beforehand, so that the build itself needs no network. Two builds of a commit give one image id.
set -euo pipefail
cd "$(dirname "$0")/.."
. containers/engine.sh
python=${PYTHON:-.venv/bin/python} base=python:3.11-slim folder=artifacts/.containers
mkdir -p "$folder"

build() {  # EPOCH WORD...
  local options=()
  if [ "$ENGINE" = podman ]; then
    options=(--timestamp "$1" --format oci --layers=false --pull=never)
    [ "$(id -u)" != 0 ] || options+=(--isolation oci)
  fi
  SOURCE_DATE_EPOCH=$1 "$ENGINE" build "${options[@]}" "${@:2}"
}

if ! "$ENGINE" image inspect "$base" >/dev/null 2>&1 && ! "$ENGINE" pull --quiet "$base" >/dev/null 2>&1; then
  echo "$base cannot be pulled: making a stand-in of Debian's packages and $("$python" --version)." >&2
  [ -f "$folder/base/base.tar" ] || containers/base.sh "$python" "$folder/base"
  mkdir -p "$folder/base/context"
  ln -f "$folder/base/base.tar" "$folder/base/context/"
  build 1700000000 --quiet --network none -t "localhost/$base" -f containers/base.Dockerfile "$folder/base/context"
fi

given=()
if "$ENGINE" image inspect "$base" | grep -q '"assay.stand-in"'; then
  "$python" -m pip download -qq --no-deps --require-hashes --only-binary=:all: -d "$folder/wheels" -r requirements.txt
  printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$folder/pip.conf"
  given=(--network none --secret "id=pip,src=$folder/pip.conf" --build-context "wheels=$folder/wheels")
fi
given+=(--build-arg "REVISION=$(git describe --always --dirty --abbrev=40 --exclude '*')")
given+=(--build-arg "VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' assay/__init__.py)")

[ $# -gt 0 ] || set -- assay assay-predict
for image; do
  target=()
  [ "$image" != assay-predict ] || target=(--target predict)
  build "$(git log -1 --format=%ct)" "${given[@]}" "${target[@]}" -t "localhost/$image" .
  "$ENGINE" image inspect --format '{{.Id}} {{.Size}} bytes' "localhost/$image"
done
