#!/usr/bin/env bash
# Builds the wheel and runs a real task with it in clean environments: with the newest and with the lowest versions
# of what it depends on.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=${UV:-uv}
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$UV" build --quiet --wheel --out-dir "$work/dist"
cp -r examples "$work/examples"
cp scripts/try_installed.py "$work/"
cd "$work" # away from the checkout, so that only the wheel can be imported

for resolution in highest lowest-direct; do
  "$UV" venv --quiet --clear --python "$root/.venv/bin/python" "venv-$resolution"
  "$UV" pip install --quiet --resolution "$resolution" --python "venv-$resolution/bin/python" -r "$root/pyproject.toml"
  "$UV" pip install --quiet --no-deps --python "venv-$resolution/bin/python" dist/*.whl
  "venv-$resolution/bin/python" try_installed.py "$resolution"
done
