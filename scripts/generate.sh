#!/usr/bin/env bash
# Generates generated/ from protos/. With --check, writes elsewhere and compares.
#
# The generator is the oldest grpcio-tools that has wheels for every supported Python, in an environment of its own,
# so that users may stay on older protobuf and grpcio than the newest. These versions are the floors in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

GENERATOR=(grpcio-tools==1.75.1 mypy-protobuf==3.7.0 protobuf==6.31.1 setuptools==80.9.0)
ENVIRONMENT=.venv-generate
UV=${UV:-uv}

if [ ! -x "$ENVIRONMENT/bin/python" ] || [ "$(cat "$ENVIRONMENT/.made-of" 2>/dev/null)" != "${GENERATOR[*]}" ]; then
  "$UV" venv -q --clear "$ENVIRONMENT"
  "$UV" pip install -q --python "$ENVIRONMENT/bin/python" "${GENERATOR[@]}"
  echo "${GENERATOR[*]}" >"$ENVIRONMENT/.made-of"
fi

target=generated
if [ "${1:-}" = --check ]; then
  target=$(mktemp -d)
  trap 'rm -rf "$target"' EXIT
fi

mkdir -p "$target"
PATH="$PWD/$ENVIRONMENT/bin:$PATH" "$ENVIRONMENT/bin/python" -m grpc_tools.protoc \
  --proto_path=protos --proto_path=third_party \
  --python_out="$target" --pyi_out="$target" --grpc_python_out="$target" --mypy_grpc_out="$target" \
  protos/penstock/v1/*.proto

if [ "${1:-}" = --check ]; then
  for file in "$target"/penstock/v1/*; do
    if ! cmp -s "$file" "generated/penstock/v1/$(basename "$file")"; then
      echo "generated/penstock/v1/$(basename "$file") is not in step with protos/: run 'make generate'" >&2
      exit 1
    fi
  done
  for file in generated/penstock/v1/*_pb2*; do
    if [ ! -e "$target/penstock/v1/$(basename "$file")" ]; then
      echo "$file has no proto any more: remove it" >&2
      exit 1
    fi
  done
  echo "generated code is in step with the protos"
fi
