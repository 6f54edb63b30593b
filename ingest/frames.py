"""What the parser's process and its parent say to each other: frames over pipes.

A frame is eight bytes of length, then that many bytes of JSON. A request is one frame. The answer
to a file is its parts, each announced by ``{"part": true}`` and followed by a packed document, and
then one last word: ``{"end": true}``, or why there is no more.
"""

from __future__ import annotations

from typing import IO

MEBI = 1 << 20
DIED = (
    "The file made its parser crash. It is probably damaged: open it in the program it was made "
    "with, save it anew, and add that."
)
_LENGTH_BYTES = 8
_BYTES_PER_CHAR = 12  # of a packed document: text in UTF-8, escapes, and the blocks' numbers


def most_bytes(text_chars: int) -> int:
    """How long a packed document of so many characters may be, its blocks included."""
    return _BYTES_PER_CHAR * text_chars + MEBI


def send(pipe: IO[bytes], frame: bytes) -> None:
    """Write one frame."""
    pipe.write(len(frame).to_bytes(_LENGTH_BYTES, "big"))
    pipe.write(frame)
    pipe.flush()


def receive(pipe: IO[bytes], *, at_most: int) -> bytes | None:
    """One frame, or None at the end of the stream.

    Raises:
        ValueError: the frame is longer than `at_most` bytes.
    """
    length = pipe.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    n_bytes = int.from_bytes(length, "big")
    if n_bytes > at_most:
        raise ValueError(f"a frame of {n_bytes} bytes, where at most {at_most} are taken")
    frame = pipe.read(n_bytes)
    return frame if len(frame) == n_bytes else None
