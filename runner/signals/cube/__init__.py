"""Events in, the cube out: counts per hour, arm, version, segment and measure that add up to any window."""
