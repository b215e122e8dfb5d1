"""The tests; a package, so that doubles are imported by one name."""
