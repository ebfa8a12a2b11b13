#!/bin/sh
# Written by "main.py launchers" from _internal/facewright/launchers.py: change it there.
script=$0
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in /*) script=$target ;; *) script=$(dirname -- "$script")/$target ;; esac
done
root=$(CDPATH= cd -- "$(dirname -- "$script")" && pwd -P)
dev=
. "$root/_internal/bootstrap.sh"
exec "$python" "$root/main.py" compare "$@"
