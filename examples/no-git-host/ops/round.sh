#!/usr/bin/env bash
# A round of training where `loop decide` says so: train, evaluate, keep the bytes, ask for the trial in staging.
# While a promotion waits for its review none is begun: what the last round came to is not in Git yet.
set -euo pipefail

waiting=$(git branch --remotes --list 'origin/loop/promote-*' --no-merged origin/main)
if [ -n "$waiting" ]; then
  echo "waits for a review:$waiting"
  exit
fi
dvc pull --quiet --allow-missing
code=0
loop decide || code=$?
[ "$code" = 2 ] || exit "$code"

field() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[1:], json.load(sys.stdin)))' "$@"; }
read -ra train < <({ loop decide --json || [ "$?" = 2 ]; } | field proposal command)
name=$("${train[@]}" --json | field version)
evaluated=0
loop evaluate "$name" || evaluated=$?
dvc push --quiet # also of a version that was stopped: `loop diagnose` compares it with the next one
[ "$evaluated" = 0 ] || exit "$evaluated"
loop promote "$name" --to staging
