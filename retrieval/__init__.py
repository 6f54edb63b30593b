"""Stored truth, derived indexes, search.

Reading order: `types`, `errors`; `store` (the truth); `filters`, `attributes`; `segment`,
`snapshot`, `view`, `indexes` (derived from it); `plan`, `dense`, `keyword`, `fuse`,
`threshold`; `search` (the query path); `cite`.
"""
