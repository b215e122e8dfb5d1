"""How long users stay on a candidate that fails, under load and through outages."""
