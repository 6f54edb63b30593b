"""Ids of the API's objects: a prefix that names the kind, then enough randomness to need no counter."""

from __future__ import annotations

import secrets
import string

_BASE62 = string.ascii_letters + string.digits

# kind → (prefix, length); all but files are hexadecimal. Source: api.openai.com replies.
_HEX_IDS = {
    "vector_store": ("vs_", 32),
    "batch": ("vsfb_", 32),
    "upload": ("upload_", 32),
    "part": ("part_", 32),
    "key": ("key_", 16),
    "response": ("resp_", 50),
    "message": ("msg_", 50),
    "file_search_call": ("fs_", 50),
    "function_call": ("fc_", 50),
    "call": ("call_", 24),
    "reasoning": ("rs_", 50),
    "compaction": ("cmp_", 50),
    "conversation": ("conv_", 48),
}


def new_id(kind: str) -> str:
    """A fresh id of a `file`, or of one of the kinds in the table above."""
    if kind == "file":
        return "file-" + "".join(secrets.choice(_BASE62) for _ in range(22))
    prefix, length = _HEX_IDS[kind]
    return prefix + secrets.token_hex(length // 2)
