#!/usr/bin/env bash
# Compares the protos with those of the last release. Passes while there is no release.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -z "$tag" ]; then
  echo "buf breaking: no release to compare with yet"
  exit 0
fi
"${BUF:-buf}" breaking --against ".git#tag=$tag"
echo "buf breaking: nothing breaks against $tag"
