"""Small files of container formats, made for tests."""

import io
import struct
import zipfile

ODF = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
NAMESPACES = " ".join(
    ODF.format(name)
    for name in ("office", "text", "table", "draw", "style", "presentation", "manifest")
)


def zipped(members: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            package.writestr(name, content, stored)
    return buffer.getvalue()


def open_document(kind: str, body: str, **members: str) -> bytes:
    """An OpenDocument file whose <office:body> holds `body`; further parts by their stem."""
    parts = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {NAMESPACES}><office:body>{body}"
        "</office:body></office:document-content>",
    }
    for stem, content in members.items():
        folder = "META-INF/" if stem == "manifest" else ""
        parts[f"{folder}{stem}.xml"] = f"<office:root {NAMESPACES}>{content}</office:root>"
    return zipped(parts)


def book(pages: dict[str, str], *, opf_extra: str = "", **members: str | bytes) -> bytes:
    """An EPUB of pages by name, each given as the inside of its <body>."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>'
        for name in pages
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in pages)
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": "<container><rootfiles>"
        '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": "<package><metadata><title>A Book</title><creator>Ann Author</creator>"
        f"</metadata><manifest>{items}{opf_extra}</manifest><spine>{spine}</spine></package>",
    }
    for name, body in pages.items():
        parts[f"OPS/{name}.xhtml"] = (
            f"<html><head><title>{name}</title></head><body>{body}</body></html>"
        )
    return zipped(parts | members)


_SECTOR = 512
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def compound(streams: dict[str, bytes]) -> bytes:
    """An OLE2 compound file ([MS-CFB]); a name such as `folder/stream` is inside a storage.

    Streams are padded to 4096 bytes, below which they would go into the mini stream.
    """
    entries = [_Entry("Root Entry", 5)]
    storages: dict[str, int] = {}
    data = b""
    for path, content in streams.items():
        folder, _, name = path.rpartition("/")
        if folder and folder not in storages:
            storages[folder] = len(entries)
            entries.append(_Entry(folder, 1))
        padded = content.ljust(4096, b"\0")
        padded += b"\0" * (-len(padded) % _SECTOR)
        entry = _Entry(name, 2, start=len(data) // _SECTOR, size=max(len(content), 4096))
        entry.parent = storages.get(folder, 0)
        entries.append(entry)
        data += padded
    for entry in entries[1:]:
        entry.parent = entry.parent if entry.kind == 2 else 0
    _link(entries)
    return _laid_out(entries, data)


class _Entry:
    def __init__(self, name: str, kind: int, start: int = _END, size: int = 0) -> None:
        self.name, self.kind, self.start, self.size = name, kind, start, size
        self.parent, self.right, self.child = 0, _FREE, _FREE

    def packed(self) -> bytes:
        name = self.name.encode("utf-16-le") + b"\0\0"
        return (
            name.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(name), self.kind, 1, _FREE, self.right, self.child)
            + bytes(36)
            + struct.pack("<IQ", self.start, self.size)
        )


def _link(entries: list[_Entry]) -> None:
    """Chain the children of each storage by their right sides, in the order of names."""
    for number, storage in enumerate(entries):
        if storage.kind == 2:
            continue
        children = [n for n, e in enumerate(entries) if n and e.parent == number and n != number]
        children.sort(key=lambda n: (len(entries[n].name), entries[n].name.upper()))
        for left, right in zip([None, *children], children, strict=False):
            if left is None:
                storage.child = right
            else:
                entries[left].right = right


def _laid_out(entries: list[_Entry], data: bytes) -> bytes:
    directory = b"".join(entry.packed() for entry in entries)
    directory += b"\0" * (-len(directory) % _SECTOR)
    n_data, n_directory = len(data) // _SECTOR, len(directory) // _SECTOR
    n_fat = 1
    while n_fat * 128 < n_data + n_directory + n_fat:
        n_fat += 1
    fat = [_FREE] * (n_fat * 128)
    for entry in entries:
        if entry.kind == 2:
            _chain(fat, entry.start, -(-entry.size // _SECTOR))
    _chain(fat, n_data, n_directory)
    for number in range(n_fat):
        fat[n_data + n_directory + number] = _FAT
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
        + struct.pack("<IIIIIIIII", 0, n_fat, n_data, 0, 4096, _END, 0, _END, 0)
    )
    table = [n_data + n_directory + n for n in range(n_fat)] + [_FREE] * (109 - n_fat)
    return (
        header
        + struct.pack("<109I", *table)
        + data
        + directory
        + struct.pack(f"<{len(fat)}I", *fat)
    )


def _chain(fat: list[int], start: int, n_sectors: int) -> None:
    for sector in range(start, start + n_sectors):
        fat[sector] = sector + 1 if sector < start + n_sectors - 1 else _END


def old_workbook(rows: list[list[str | float]], *, name: str = "Cups") -> bytes:
    """An XLS file (BIFF8, [MS-XLS]) of one sheet."""
    head = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            place = struct.pack("<HHH", number, column, 0)
            if isinstance(value, str):
                text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
                sheet += _record(0x0204, place + text)
            else:
                sheet += _record(0x0203, place + struct.pack("<d", value))
    sheet += _record(0x000A, b"")
    tail = struct.pack("<BBBB", 0, 0, len(name), 0) + name.encode("ascii")
    start = len(head) + 4 + 4 + len(tail) + 4
    bound = _record(0x0085, struct.pack("<I", start) + tail)
    return compound({"Workbook": head + bound + _record(0x000A, b"") + sheet})


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content
