"""The cost of the gateway, beside LiteLLM's proxy, before the same upstream."""
