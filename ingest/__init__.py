"""Bytes → committed chunks.

Reading order: `pipeline` (the write path), then its stages `detect`, `parse`, `sandbox`,
`chunk`, `embed`; `worker` runs it.
"""
