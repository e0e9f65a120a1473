#!/bin/sh
# The tests in environments of their own: each Python that is named, with the lowest and the newest
# versions that pyproject.toml allows.
#
#   sh support/matrix.sh                                     this machine's python3
#   sh support/matrix.sh python3.11 python3.12               several
#   VERSIONS=newest sh support/matrix.sh python3.13          only the newest versions
#   TESTS="tests/losses tests/test_model.py" sh support/matrix.sh
#
# Environments lie in FOLDER (build/matrix) and are used again; delete it for newer packages.
set -eu
cd "$(dirname "$0")/.."
FOLDER=${FOLDER:-build/matrix}
VERSIONS=${VERSIONS:-lowest newest}
TESTS=${TESTS:-tests}
[ $# -gt 0 ] || set -- python3
mkdir -p "$FOLDER"
table="$FOLDER/table.txt"
: >"$table"
failed=0

for python in "$@"; do
  for versions in $VERSIONS; do
    place="$FOLDER/$(basename "$python")-$versions"
    if [ ! -e "$place/.installed" ]; then
      "$python" -m venv --clear "$place"
      [ "$versions" = lowest ] && bounds="-c constraints-lowest.txt" || bounds=""
      # shellcheck disable=SC2086  # words, not one word
      "$place/bin/python" -m pip install --quiet $bounds -e '.[dev]'
      touch "$place/.installed"
    fi
    result=passed
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=1 "$place/bin/python" -m pytest -q $TESTS || { result=FAILED; failed=1; }
    "$place/bin/python" - "$versions" "$result" >>"$table" <<'PYTHON'
import platform, sys
from importlib.metadata import version

names = ("torch", "lightning", "transformers")
print(platform.python_version(), sys.argv[1], *(f"{n} {version(n)}" for n in names), sys.argv[2], sep="  ")
PYTHON
  done
done
cat "$table"
exit "$failed"
