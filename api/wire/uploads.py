"""Uploads and their parts on the wire."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from api.wire.fields import FileExpiry
from api.wire.files import PURPOSES, check_purpose, file_body, lifetime_s
from api.wire.ids import check_id
from api.wire.validation import Closed, out_of_range, refuse
from retrieval.store.uploads import Upload, UploadPart
from retrieval.types import File

MD5_CHARS = 32


def _md5(value: str) -> str:
    if len(value) != MD5_CHARS or not set(value.lower()) <= set("0123456789abcdef"):
        refuse("Invalid '<path>': expected an MD5 checksum as 32 hexadecimal digits.")
    return value


class CreateUpload(Closed):
    """What a file that arrives in parts will be."""

    filename: str = Field(min_length=1)
    purpose: str = Field(json_schema_extra={"enum": list(PURPOSES)})
    bytes: int = Field(ge=1)
    # SDK examples send `pdf`, so this is no media type to rely on; content decides.
    mime_type: str
    expires_after: FileExpiry | None = None

    def arguments(self, *, max_bytes: int) -> dict[str, Any]:
        """For `Engine.create_upload`.

        Raises:
            InvalidRequest: an unknown purpose, or more than `max_bytes`.
        """
        purpose = check_purpose(self.purpose)
        if self.bytes > max_bytes:
            raise out_of_range("bytes", self.bytes, bound=max_bytes)
        given_s = None if self.expires_after is None else self.expires_after.seconds
        return {
            "filename": self.filename,
            "purpose": purpose,
            "n_bytes": self.bytes,
            "mime_type": self.mime_type,
            "expires_after_s": lifetime_s(purpose, given_s),
        }


class CompleteUpload(Closed):
    """Which parts make the file, in which order."""

    part_ids: list[Annotated[str, StringConstraints(min_length=1)]] = Field(min_length=1)
    md5: Annotated[str, AfterValidator(_md5)] | None = None

    def checked_part_ids(self) -> list[str]:
        """The ids; InvalidRequest when one cannot be a part's."""
        return [
            check_id(id, param=f"part_ids[{n}]", kind="part") for n, id in enumerate(self.part_ids)
        ]


def upload_body(upload: Upload, file: File | None = None) -> dict[str, Any]:
    """An Upload object; the key `file` is there only once the file is."""
    body = {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.n_bytes,
        "created_at": upload.created_at,
        "expires_at": upload.expires_at,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status,
    }
    return body if file is None else {**body, "file": file_body(file)}


def part_body(part: UploadPart) -> dict[str, Any]:
    """An UploadPart object."""
    return {
        "id": part.id,
        "object": "upload.part",
        "created_at": part.created_at,
        "upload_id": part.upload_id,
    }
