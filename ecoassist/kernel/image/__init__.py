"""The sandbox image: what it is made of, made, found and removed."""
