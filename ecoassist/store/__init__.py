"""What was solved before, so that the next similar question costs less."""
