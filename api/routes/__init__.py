"""The HTTP endpoints, one module a resource; each has `routes(engine)`."""
