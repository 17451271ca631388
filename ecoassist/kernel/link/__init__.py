"""The host's end of the link to a container: frames, channels, files."""
