#!/usr/bin/env bash
# Locks every requirement group by name, version and hash, without any index address (`make lock`).
# Groups that share .venv are resolved together first, so that any mix of them installs. What is locked already keeps
# its version; `UPGRADE=1 make lock` takes the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."
. requirements/find-links.sh
uv=${UV:-.venv-uv/bin/uv}
compile() {
  "$uv" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
    --override requirements/overrides.txt --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-annotate --no-header "$@"
}
report() { echo "locked $1 ($(grep -c '==' "$1") packages)"; }
whole=$(mktemp)
trap 'rm -f "$whole"' EXIT
shared=(core serve-cpu train data signals spark console privacy dev)
inputs=("${shared[@]/#/requirements/}")
[ -n "${UPGRADE:-}" ] || for group in "${shared[@]}"; do
  if [ -f "requirements/$group.txt" ]; then grep -hoE '^[A-Za-z0-9._-]+(\[[^]]*\])?==[^ \\]+' "requirements/$group.txt"; fi
done | sort -u > "$whole"
compile "${backend[@]}" "${inputs[@]/%/.in}" --output-file "$whole"
for group in "${shared[@]}"; do
  compile "${backend[@]}" "requirements/$group.in" --constraint "$whole" --output-file "requirements/$group.txt"
  report "requirements/$group.txt"
done
unset UV_FIND_LINKS   # the groups below live in environments of their own and take torch's CUDA build, if any
for group in bootstrap serve-gpu bench; do
  compile "requirements/$group.in" --output-file "requirements/$group.txt"
  report "requirements/$group.txt"
done
