"""The command loop."""
