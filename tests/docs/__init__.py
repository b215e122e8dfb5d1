"""Tests of the documents: their links lead somewhere, and their commands work."""
