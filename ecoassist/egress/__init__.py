"""The gate: the only way out of the sandbox, an HTTP proxy inside this process.

It lets declared hosts through, puts real keys in place of placeholders, and masks the keys in what comes back.
"""
