"""The host's side of the sandbox: the engine of containers, the link into one, and a kernel to run cells in."""
