"""Model endpoints: which to use, how to talk to them, what they cost, when to try again."""
