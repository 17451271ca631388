"""Whether an attempt solved its question: checks first, then a model or the person."""
