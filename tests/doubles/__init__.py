"""Test doubles for the outermost ports; contract tests hold each to the real thing."""
