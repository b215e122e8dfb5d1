"""Serving: client and launcher of vLLM, the probe, the gateway, and the route table between them.

Executes what others decided; imports neither git, training nor feedback.
"""
