"""The store of a team: one PostgreSQL database, which any number of people may use at once."""
