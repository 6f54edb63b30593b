"""Files on the wire."""

from __future__ import annotations

import re
from typing import Any, Final

from api.wire.fields import FileExpiry
from api.wire.lists import list_body
from api.wire.validation import Closed, echo, parse
from retrieval.errors import InvalidRequest
from retrieval.types import File, Page

# In the order of the hosted service's error message.
PURPOSES: Final = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")


BATCH_LIFETIME_S = 30 * 86_400  # as the hosted service has it
MAX_INT_DIGITS = 19  # what 64 bits hold; longer ones stay strings and are refused as such


class _ExpiryForm(Closed):
    """Puts the form's two fields under one key, so that errors bear the nested path."""

    expires_after: FileExpiry


def file_body(file: File) -> dict[str, Any]:
    """A File object; `status` is deprecated but required, and uploads are never pending."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.n_bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def files_body(page: Page[File]) -> dict[str, Any]:
    """A page of files."""
    return list_body([file_body(file) for file in page.items], has_more=page.has_more)


def check_purpose(value: str) -> str:
    """`value`, one of PURPOSES; the files service words this error in a way of its own.

    Raises:
        InvalidRequest: it is none of them.
    """
    if value in PURPOSES:
        return value
    message = f"'{echo(value)}' is not one of {list(PURPOSES)} - 'purpose'"
    raise InvalidRequest(message, param="purpose", code=None)


def lifetime_s(purpose: str, given_s: int | None) -> int | None:
    """How long a file of this purpose lives; files for batch jobs have an end by default."""
    return BATCH_LIFETIME_S if given_s is None and purpose == "batch" else given_s


def expiry_s(anchor: str | None, seconds: str | None) -> int | None:
    """The form fields `expires_after[anchor]` and `[seconds]` as seconds, or None if absent.

    Raises:
        InvalidRequest: only one of them is given, or one is not allowed.
    """
    if anchor is None and seconds is None:
        return None
    given: dict[str, Any] = {"anchor": anchor, "seconds": seconds}
    fields = {name: value for name, value in given.items() if value is not None}
    if seconds is not None and re.fullmatch(rf"-?[0-9]{{1,{MAX_INT_DIGITS}}}", seconds):
        fields["seconds"] = int(seconds)
    return parse(_ExpiryForm, {"expires_after": fields}).expires_after.seconds
