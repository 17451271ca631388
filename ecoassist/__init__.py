"""Answers questions by writing and running code, with a cheap model first and a memory of what worked."""

__version__ = "0.1.0"
