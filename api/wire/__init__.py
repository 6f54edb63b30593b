"""Request and response bodies, one module a resource."""
