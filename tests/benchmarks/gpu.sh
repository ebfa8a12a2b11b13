#!/bin/sh
# Training speed on a graphics card; see gpu.py. PYTHON names the Python to use.
exec "${PYTHON:-python3}" -u "$(dirname "$0")/gpu.py" "$@"
