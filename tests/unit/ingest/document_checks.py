"""What every parsed document must be, and how its blocks are written down in tests."""

from retrieval.types import Document


def check_invariants(document: Document) -> None:
    """Blocks are in order, apart, trimmed, and hold all that is not white space."""
    text, at = document.text, 0
    for block in document.blocks:
        assert block.start_char >= at
        assert text[at : block.start_char].strip() == ""
        piece = text[block.start_char : block.end_char]
        assert piece
        assert piece == piece.strip()
        at = block.end_char
    assert text[at:].strip() == ""
    text.encode()  # no lone surrogates


def outline(document: Document) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(b.kind, document.text[b.start_char : b.end_char]) for b in document.blocks]
