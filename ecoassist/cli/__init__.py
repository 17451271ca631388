"""The terminal commands, one small file each. Nothing heavy is imported before a command runs."""
