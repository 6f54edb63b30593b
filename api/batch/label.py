"""Which attributes a file gets: of every file, of its place, of its line in a manifest."""

from __future__ import annotations

import os
from collections.abc import Callable

from api.batch.types import FoundFile, Selection
from retrieval.limits import check_attributes
from retrieval.types import Attributes

Labeller = Callable[[FoundFile], Attributes]


def labeller(selection: Selection) -> Labeller:
    """A function from a file to its attributes; the later of three sources wins, key by key.

    These are `selection.attributes`, then each pattern of `from_path`, then `manifest`.
    What it returns is within the contract's limits; it raises InvalidRequest otherwise.
    """
    manifest = {os.fspath(path): attributes for path, attributes in selection.manifest.items()}
    of_all = dict(selection.attributes)
    check_attributes(of_all)

    def label(file: FoundFile) -> Attributes:
        by_path = [pattern.read(file.path) for pattern in selection.from_path]
        own = manifest.get(file.location)
        if own is None and not any(by_path):
            return of_all
        merged = dict(of_all)
        for attributes in (*by_path, own or {}):
            merged.update(attributes)
        check_attributes(merged)
        return merged

    return label


def same_attributes(one: Attributes, other: Attributes) -> bool:
    """Equal in type, too: `True` and `1` are two values.

    >>> same_attributes({"a": True}, {"a": 1})
    False
    """
    return one == other and all(type(one[key]) is type(other[key]) for key in one)
