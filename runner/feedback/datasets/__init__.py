"""Data sets made of what was collected, in the formats that TRL reads; pure, called by `feedback.snapshot`."""
