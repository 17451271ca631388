"""How things look: consumers of the event stream, and what every foreign string passes before a terminal."""
