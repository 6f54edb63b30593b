"""Which code page the bytes of an RTF file are in: a matter of the font they are set in."""

from __future__ import annotations

import codecs

DEFAULT_CODE_PAGE = "cp1252"
# \fcharset → code page. Source: Rich Text Format Specification 1.9.1, "Font Table".
_CODE_PAGES = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk",
    136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256",
    186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip


class FontTable:
    """Character sets of a file's fonts; `code_page` is for fonts that name none."""

    def __init__(self) -> None:
        self.code_page = DEFAULT_CODE_PAGE
        self._charsets: dict[int, int] = {}
        self._default: int | None = None

    def selected(self, word: str, font: int) -> None:
        """Note the file's default font; any other selection is the group's affair."""
        if word == "deff":
            self._default = font

    def charset(self, font: int | None, charset: int) -> None:
        """Note the character set of a font."""
        if font is not None:
            self._charsets[font] = charset

    def decoded(self, raw: bytes, font: int | None) -> str:
        """Return the text of bytes set in `font`, or in the default font."""
        if raw.isascii():
            return raw.decode("ascii")
        charset = self._charsets.get(-1 if font is None else font)
        if charset is None and self._default is not None and font is None:
            charset = self._charsets.get(self._default)
        page = _CODE_PAGES.get(1 if charset is None else charset, self.code_page)
        if charset == 0 and self.code_page != DEFAULT_CODE_PAGE:
            page = self._of_western_font(raw)
        return raw.decode(_known(page), "replace")

    def _of_western_font(self, raw: bytes) -> str:
        """Old programs set text of their own code page in fonts that claim to be Western."""
        try:
            raw.decode(_known(self.code_page))
        except UnicodeDecodeError:
            return DEFAULT_CODE_PAGE
        return self.code_page


def _known(page: str) -> str:
    try:
        return codecs.lookup(page).name
    except LookupError:
        return DEFAULT_CODE_PAGE
