#!/usr/bin/env bash
# Links the state of the deployment on this machine (journal, event log, wishes, training under way) into the job's
# checkout, so that `loop` there works on that deployment. LOOP_STATE is its `.loop` folder; empty where there is none.
set -euo pipefail
[ -n "${LOOP_STATE:-}" ] || { echo "no deployment on this machine"; exit 0; }
if [ ! -d "$LOOP_STATE" ]; then
  echo "error: there is no folder '$LOOP_STATE' on this machine" >&2
  echo "  fix: the variable LOOP_STATE names the .loop folder of the deployment, LOOP_RUNNER the machine that has it" >&2
  exit 1
fi
ln -sfnT "$LOOP_STATE" .loop
