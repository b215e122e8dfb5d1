#!/usr/bin/env bash
# Runs a command of `loop`, shows what it prints in the summary of the run, and hands its exit code on as `code`.
# Exit code 2 is an answer (changes are pending, retrain now, not proven): the step that asked goes on to read it.
set -euo pipefail
code=0
"$@" | tee -a "$GITHUB_STEP_SUMMARY" || code=$?
echo "code=$code" >> "$GITHUB_OUTPUT"
[ "$code" = 0 ] || [ "$code" = 2 ]
