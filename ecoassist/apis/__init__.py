"""APIs that a person adds: the files they are kept in, and what an OpenAPI document says about one."""
