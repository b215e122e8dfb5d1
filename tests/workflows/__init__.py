"""Tests of the workflows: clean under the linters, and run for real by act, on the host."""
