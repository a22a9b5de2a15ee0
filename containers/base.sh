#!/usr/bin/env bash
# Make a stand-in for python:3.11-slim in FOLDER/base.tar: Debian 12 without documents, and in /usr/local
# the Python that calls this, without tests or bytecode, as the published image has it.
#   containers/base.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2

command -v mmdebstrap >/dev/null || {
  echo "python:3.11-slim cannot be pulled, and its stand-in needs mmdebstrap (Debian: apt-get install mmdebstrap)." >&2
  exit 1
}
mkdir -p "$folder/python/bin" "$folder/python/lib"
"$python" - "$folder/python" <<'PYTHON'
import shutil, sys, sysconfig
from pathlib import Path

to = Path(sys.argv[1])
if sys.version_info[:2] != (3, 11):
    sys.exit(f"The stand-in for python:3.11-slim needs Python 3.11, and this is {sys.version.split()[0]}.")
stdlib = Path(sysconfig.get_path("stdlib"))
left_out = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "turtledemo", "site-packages", "dist-packages", "*.a", "*.o"
)
shutil.copytree(stdlib, to / "lib" / stdlib.name, symlinks=True, ignore=left_out, dirs_exist_ok=True)
(to / "lib" / stdlib.name / "site-packages").mkdir(exist_ok=True)
shutil.copy2(Path(sys.base_prefix, "bin", "python3.11").resolve(), to / "bin" / "python3.11")
library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
if library.suffix != ".a" and library.is_file():
    shutil.copy2(library, to / "lib" / library.name)
for name in ("python3", "python"):
    (to / "bin" / name).unlink(missing_ok=True)
    (to / "bin" / name).symlink_to("python3.11")
PYTHON
if command -v strip >/dev/null; then strip --strip-unneeded "$folder"/python/bin/python3.11 "$folder"/python/lib/*.so.*; fi

# What Debian's slim images leave out.
documents=(man doc info locale lintian linda groff)
options=("${documents[@]/#/--dpkgopt=path-exclude=/usr/share/}")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000} mmdebstrap --quiet --variant=minbase --mode=root "${options[@]/%//*}" \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged,ca-certificates,netbase,tzdata,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g \
  --customize-hook="cp -a '$folder/python/.' \"\$1/usr/local/\" && chown -R 0:0 \"\$1/usr/local\"" \
  --customize-hook='chroot "$1" ldconfig' \
  --customize-hook='chroot "$1" python3 -m ensurepip --default-pip >/dev/null 2>&1' \
  --customize-hook='find "$1/usr/local" -name __pycache__ -prune -exec rm -r {} +' \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/ldconfig "$1"/*/.cache' \
  bookworm "$folder/base.tar"
