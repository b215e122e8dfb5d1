"""Events in, measured values of an arm out. No decisions: what follows from a value is `rollout`'s to say."""
