"""What code displays, made fit for a person to open."""
