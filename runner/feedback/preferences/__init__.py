"""What makes a pair of answers, and a set of pairs, fit to train on; pure, called by `feedback.snapshot`."""
