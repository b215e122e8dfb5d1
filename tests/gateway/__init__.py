"""The gateway before stub engines, over real HTTP."""
