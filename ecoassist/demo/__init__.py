"""The tour: scripted models and emulated APIs on this machine: `ecoassist demo` needs no account and no network."""
