#!/usr/bin/env bash
# Installs Loop at the commit that requirements/loop.txt names, with packages locked by hash:
# install.sh ENVIRONMENT GROUP [GROUP ...]. The variable LOOP_SOURCE names another place to fetch it from.
# Groups: core data train signals privacy console, and serve-cpu or serve-gpu for an engine on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$1; shift
fail() { printf 'error: %s\n' "$1" >&2; printf '  fix: %s\n' "$2" >&2; exit 1; }

if [ -d "$environment" ] && [ ! -L "$environment" ]; then
  fail "$environment is a folder, and has to be a link to the environment of Loop" "move it away: mv $environment $environment.own"
fi
read -r commit url < <(grep -v '^#' requirements/loop.txt) || fail "requirements/loop.txt names nothing" "write: COMMIT ADDRESS"
url=${LOOP_SOURCE:-$url}
checkout=.loop-source
if [ "$(git --git-dir "$checkout/.git" rev-parse HEAD 2>/dev/null)" != "$commit" ]; then
  git init --quiet "$checkout"
  git -C "$checkout" fetch --quiet --depth 1 "$url" "$commit" ||
    fail "Loop $commit cannot be fetched from $url" "correct requirements/loop.txt, or set LOOP_SOURCE"
  git -C "$checkout" checkout --quiet --force --detach FETCH_HEAD
fi
bash "$checkout/requirements/install.sh" .venv "$@"
ln -sfnT "$checkout/.venv" "$environment"
