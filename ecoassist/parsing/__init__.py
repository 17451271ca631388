"""A model's reply, read: code to run, the answer, or neither. Pure."""

from .reply import parse

__all__ = ["parse"]
