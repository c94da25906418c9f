#!/usr/bin/env bash
# Builds the wheel, installs it in a clean environment, and runs a task with what was installed.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=${UV:-uv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$UV" build --quiet --wheel --out-dir "$work/dist"
"$UV" venv --quiet "$work/venv"
"$UV" pip install --quiet --python "$work/venv/bin/python" "$work"/dist/*.whl

cp -r examples "$work/examples"
cd "$work" # away from the checkout, so that only the wheel can be imported
"$work/venv/bin/penstock" --version
"$work/venv/bin/penstockd" --version
"$work/venv/bin/python" examples/../examples/try_installed.py
echo "the wheel works in a clean environment"
