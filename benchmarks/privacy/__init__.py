"""How well personal data is masked, and what the masking costs."""
