# Sourced by every .sh script, with $root set (and dev=--dev for the tests). Sets $python, the interpreter of an
# environment that is whole: a check of some milliseconds; bootstrap.py makes or mends it when the check fails.
unset PYTHONHOME PYTHONPATH
python=$root/_internal/env/bin/python
if ! { [ -x "$python" ] && "$python" -I -S "$root/_internal/bootstrap.py" --check ${dev:-}; } >/dev/null 2>&1; then
  # The first Python of a fitting version that can install packages; failing that, any of a fitting version.
  base= plain=
  for candidate in "${FACEWRIGHT_PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python; do
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 || continue
    plain=${plain:-$candidate}
    "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 || "$candidate" -c 'import pip, venv' >/dev/null 2>&1 || continue
    base=$candidate
    break
  done
  if [ -z "${base:-$plain}" ]; then
    found=$(for c in python3 python; do "$c" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2>/dev/null && break; done)
    echo "No fitting Python was found (${found:-none at all})." >&2
    echo "  Expected: Python 3.11, 3.12 or 3.13 as python3." >&2
    echo "  To fix it: install one (Debian, Ubuntu: sudo apt install python3 python3-venv), or name one: FACEWRIGHT_PYTHON=/path/to/python3.12" >&2
    exit 1
  fi
  "${base:-$plain}" "$root/_internal/bootstrap.py" ${dev:-} || exit $?
fi
