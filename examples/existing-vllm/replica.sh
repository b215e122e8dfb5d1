#!/usr/bin/env bash
# How each vLLM replica has to be started so that Loop can give it adapters. What you have beside that (parallelism,
# memory, context length) stays as it is. VLLM_API_KEY holds the key that loop.yaml names; without one, whoever reaches
# the port may load adapters.
set -euo pipefail

export VLLM_ALLOW_RUNTIME_LORA_UPDATING=1  # adapters are loaded and unloaded while it serves
export VLLM_PLUGINS=                       # none: a LoRA resolver would load adapters that nobody declared

# The sizes are those of loop.yaml: different adapters in one batch, adapters in memory, their highest rank.
exec vllm serve Qwen/Qwen2.5-7B-Instruct \
  --served-model-name qwen2.5-7b \
  --host 0.0.0.0 --port 8000 \
  --enable-lora --max-loras 4 --max-cpu-loras 8 --max-lora-rank 16
