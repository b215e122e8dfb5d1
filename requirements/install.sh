#!/usr/bin/env bash
# Builds or completes an environment from locked groups: install.sh ENVIRONMENT GROUP [GROUP ...].
# Needs python3 (3.11 or later, with venv) and a package index; does nothing where the groups are in place already.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$1; shift
trap 'printf "\nsetup: interrupted; the same command goes on from here\n" >&2; exit 130' INT
say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$1" >&2; printf '  fix: %s\n' "$2" >&2; exit 1; }

command -v python3 >/dev/null || fail "python3 was not found" "install Python 3.11 or later"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "python3 is $(python3 -V 2>&1), Loop needs 3.11 or later" "install Python 3.11 or later and put it first on PATH"

# Through a link the packages would land in somebody else's environment, and its `loop` would run this checkout.
if [ -L "$environment" ]; then fail "$environment is a link" "remove the link; this command makes the folder"; fi

stamp() { echo "$environment/.installed-$1"; }
fingerprint() { sha256sum "requirements/$1.txt" requirements/overrides.txt pyproject.toml | sha256sum | cut -c1-16; }
stale=()
for group in "$@"; do
  [ "$(cat "$(stamp "$group")" 2>/dev/null)" = "$(fingerprint "$group")" ] || stale+=("$group")
done
[ ${#stale[@]} -gt 0 ] || exit 0

if [ ! -x .venv-uv/bin/uv ] || ! cmp -s requirements/bootstrap.txt .venv-uv/locked.txt; then
  say "installing the installer (uv) into .venv-uv"
  python3 -m venv .venv-uv || fail "python3 cannot make virtual environments" "install Debian's python3-venv or its like"
  .venv-uv/bin/python -m pip install -qq --require-hashes -r requirements/bootstrap.txt
  cp requirements/bootstrap.txt .venv-uv/locked.txt
fi
. requirements/find-links.sh
uv=.venv-uv/bin/uv
[ -x "$environment/bin/python" ] || { say "making $environment (Python 3.11)"; "$uv" venv --quiet --python 3.11 "$environment"; }
files=()
for group in "${stale[@]}"; do files+=(-r "requirements/$group.txt"); done
say "installing ${stale[*]} into $environment (locked by hash; the first time takes minutes, most of it download)"
# Compiled here, by all cores: else the first start of each program would do it, on one.
install() {
  "$uv" pip install --compile-bytecode --python "$environment/bin/python" --require-hashes --no-deps "${backend[@]}" "${files[@]}"
}
if [ -t 2 ]; then install; else install 2>&1 | { grep -v '^ [-+~] ' || true; } >&2; fi   # bars, or a few lines for a log
if [ "$environment" = .venv ]; then
  "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
fi
for group in "${stale[@]}"; do fingerprint "$group" > "$(stamp "$group")"; done
