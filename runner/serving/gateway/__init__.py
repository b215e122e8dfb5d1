"""The gateway: an OpenAI-compatible ASGI application in front of the vLLM replicas, one process an instance.

Started as `python -m runner.serving.gateway --config FILE`. Obeys the route table that the reconciler writes
through the admin listener; reads neither loop.yaml nor Git, and keeps serving its last table when the runner
is gone.
"""
