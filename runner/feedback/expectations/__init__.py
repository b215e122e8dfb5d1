"""What `datasets/NAME.yaml` expects of its rows, checked by Great Expectations; the outcome is kept for `loop plan`."""
