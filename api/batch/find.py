"""Which files lie under the given paths, in order, with what they look like."""

# Strings instead of `Path`: a hundred thousand of those take seconds and much memory.
# ruff: noqa: PTH112, PTH114, PTH116, PTH118, PTH119, PTH206, PTH208

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from api.batch.ignore import IGNORE_FILES, IgnoreFile, is_ignored, read_ignore_file, read_patterns
from api.batch.types import Failure, FoundFile, Selection
from retrieval.errors import InvalidRequest

# Folders of version control hold no documents; with `hidden`, too, nobody means these.
_VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".jj"})
_FEW_BYTES = 16  # such as the line feed of an __init__.py
_Identity = tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is being walked."""

    location: str
    prefix: str  # of what is in it, relative to the root: "" or "a/b/"
    ignores: tuple[IgnoreFile, ...]  # those that hold in it, deepest first
    trail: frozenset[_Identity]  # it and the folders above


class Finder:
    """Walks paths by the rules of a `Selection`; counts what it leaves out."""

    def __init__(
        self, paths: Sequence[Path], selection: Selection, *, but_not: Path | None = None
    ) -> None:
        """Check the paths, without walking yet.

        Args:
            paths: folders, and files, for which only `globs` and `exclude` count.
            selection: the rules.
            but_not: a folder that is never entered: the data folder may lie under the paths.

        Raises:
            InvalidRequest: a path does not exist, or an exclude is no pattern.
        """
        self._selection = selection
        self._excluded = read_patterns(selection.exclude)
        self._globs = [re.compile(translate(glob)) for glob in selection.globs]
        self._but_not = None if but_not is None else os.path.realpath(but_not)
        self.roots = list(dict.fromkeys(_root(path) for path in paths))
        self._folders = {root for root in self.roots if os.path.isdir(root)}
        self.left_out: Counter[str] = Counter()
        self.failures: list[Failure] = []  # folders that cannot be read: what is there is unknown

    def find(self) -> Iterator[FoundFile]:
        """Every file, each once.

        Raises:
            InvalidRequest: two files have the same relative path.
        """
        seen: dict[str, str] = {}
        for root in self.roots:
            for file in self._under(root):
                other = seen.setdefault(file.path, file.location)
                if other != file.location:
                    raise InvalidRequest(
                        f"{other} and {file.location} both have the relative path"
                        f" '{file.path}'. Index their common parent folder instead.",
                        param="paths",
                        code="invalid_value",
                    )
                yield file

    def find_at(self, location: str) -> Iterator[FoundFile]:
        """What `find` would yield at `location`, and below it if that is a folder."""
        for root in self.roots:
            if location == root:
                yield from self._under(root)
            elif location.startswith(root + os.sep):
                yield from self._part_of(root, location[len(root) + 1 :])

    def path_of(self, location: str) -> str | None:
        """The relative path of what is or was at `location`; None if that is under no root.

        It is empty for a root that is a folder.
        """
        if self._is_own(location):
            return None
        for root in self.roots:
            if location == root:
                return "" if root in self._folders else known_as(os.path.basename(root))
            if location.startswith(root + os.sep):
                return known_as(location[len(root) + 1 :])
        return None

    def _is_own(self, location: str) -> bool:
        """Whether it belongs to the data folder."""
        return bool(self._but_not) and f"{location}/".startswith(f"{self._but_not}/")

    # --- walking --------------------------------------------------------------------------------

    def _under(self, root: str) -> Iterator[FoundFile]:
        if self._is_own(root):
            return
        name = os.path.basename(root)
        try:
            look = os.stat(root)
        except OSError as error:  # it was there when the run began
            self._cannot("" if root in self._folders else name, error)
            return
        if stat.S_ISDIR(look.st_mode):
            yield from self._walk(_top(root, look))
        elif not self._leave_out_if(self._is_excluded(name), "excluded"):
            file = self._file(root, name, look)
            if file is not None:
                yield file

    def _part_of(self, root: str, relative: str) -> Iterator[FoundFile]:
        """Go down to `relative` as the walk would have, and walk on from there."""
        try:
            folder = _top(root, os.stat(root))
        except OSError as error:
            self._cannot("", error)
            return
        names = relative.split(os.sep)
        for place, name in enumerate(names, start=1):
            taken = self._take(self._with_rules(folder), name)
            if isinstance(taken, _Folder):
                folder = taken
                continue
            if taken is not None and place == len(names):
                yield taken
            return
        yield from self._walk(folder)

    def _walk(self, top: _Folder) -> Iterator[FoundFile]:
        """Depth first, by name; with a stack of its own, since trees may be very deep."""
        stack = [self._entries(top)]
        while stack:
            folder, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                continue
            taken = self._take(folder, name)
            if isinstance(taken, _Folder):
                stack.append(self._entries(taken))
            elif taken is not None:
                yield taken

    def _entries(self, folder: _Folder) -> tuple[_Folder, Iterator[str]]:
        try:
            names = sorted(os.listdir(folder.location))
        except OSError as error:
            self._cannot(folder.prefix, error)
            return folder, iter(())
        return self._with_rules(folder), iter(names)

    def _with_rules(self, folder: _Folder) -> _Folder:
        """The folder with the rules of the ignore files in it."""
        if not self._selection.ignore_files:
            return folder
        ignores = folder.ignores
        for name in IGNORE_FILES:
            try:
                rules = read_ignore_file(os.path.join(folder.location, name), folder.prefix)
            except (FileNotFoundError, IsADirectoryError):
                continue
            except OSError as error:
                self._cannot(folder.prefix + name, error)
                continue
            ignores = (rules, *ignores)
        return _Folder(folder.location, folder.prefix, ignores, folder.trail)

    # --- one entry ------------------------------------------------------------------------------

    def _take(self, folder: _Folder, name: str) -> FoundFile | _Folder | None:
        """A file to index, a folder to walk, or None for what is left out."""
        location, path = os.path.join(folder.location, name), folder.prefix + name
        try:
            look = os.lstat(location)
            is_link = stat.S_ISLNK(look.st_mode)
            look = os.stat(location) if is_link else look
        except FileNotFoundError:
            self._leave_out_if(os.path.islink(location), "broken_link")  # else it is gone by now
            return None
        except OSError as error:
            if not self._leave_out_if(error.errno == errno.ELOOP, "link_loop"):
                self._cannot(path, error)
            return None
        is_folder = stat.S_ISDIR(look.st_mode)
        if self._is_left_out(folder, path, is_folder=is_folder):
            return None
        if is_folder:
            return self._enter(folder, name, look, is_link=is_link)
        return self._file(location, path, look)

    def _enter(
        self, folder: _Folder, name: str, look: os.stat_result, *, is_link: bool
    ) -> _Folder | None:
        location, identity = os.path.join(folder.location, name), _identity(look)
        if is_link and self._leave_out_if(not self._selection.follow_links, "link_to_folder"):
            return None
        if self._leave_out_if(identity in folder.trail, "link_loop"):
            return None
        if self._but_not and os.path.realpath(location) == self._but_not:
            return None
        prefix = f"{folder.prefix}{name}/"
        return _Folder(location, prefix, folder.ignores, folder.trail | {identity})

    def _file(self, location: str, path: str, look: os.stat_result) -> FoundFile | None:
        if self._leave_out_if(not stat.S_ISREG(look.st_mode), "special"):
            return None
        if self._globs and self._leave_out_if(not self._matches(path), "not_matching"):
            return None
        if self._leave_out_if(_is_blank(location, look.st_size), "empty"):
            return None
        return FoundFile(location, known_as(path), look.st_size, look.st_mtime_ns)

    def _matches(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(glob.match(path) or glob.match(name) for glob in self._globs)

    def _is_left_out(self, folder: _Folder, path: str, *, is_folder: bool) -> bool:
        name = path[len(folder.prefix) :]
        shown = f"{path}/" if is_folder else path
        if is_folder and name in _VERSION_CONTROL:
            return self._leave_out_if(True, "hidden")  # noqa: FBT003
        return (
            self._leave_out_if(name[0] == "." and not self._selection.hidden, "hidden")
            or self._leave_out_if(self._is_excluded(shown), "excluded")
            or self._leave_out_if(is_ignored(shown, folder.ignores), "ignored")
        )

    def _is_excluded(self, path: str) -> bool:
        return bool(self._selection.exclude) and self._excluded.match_file(path)

    def _leave_out_if(self, condition: bool, reason: str) -> bool:  # noqa: FBT001
        if condition:
            self.left_out[reason] += 1
        return condition

    def _cannot(self, path: str, error: OSError) -> None:
        reason = error.strerror or str(error)
        self.failures.append(Failure(known_as(path) or ".", "unreadable", f"{reason}."))


def known_as(path: str) -> str:
    r"""A path as text; bytes in it that are not UTF-8 are spelt out, the same way each time.

    >>> known_as("caf\udce9.txt")
    'caf\\xe9.txt'
    """
    path = path.replace(os.sep, "/")
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def _root(path: Path) -> str:
    """Where a path really is, but for the last part of a file: a link keeps its own name."""
    if path.is_dir():
        return os.path.realpath(path)
    if not path.is_file():
        raise InvalidRequest(f"There is no file or folder {path}.", param="paths", code=None)
    return os.path.join(os.path.realpath(path.parent), path.name)


def _is_blank(location: str, n_bytes: int) -> bool:
    """Whether a file is empty, or so small that a look at its white space costs nothing."""
    if n_bytes == 0 or n_bytes > _FEW_BYTES:
        return n_bytes == 0
    try:
        handle = os.open(location, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # whoever reads it will say so
        return False
    with open(handle, "rb") as content:  # noqa: PTH123
        return not content.read(_FEW_BYTES + 1).strip()


def _top(root: str, look: os.stat_result) -> _Folder:
    return _Folder(root, "", (), frozenset({_identity(look)}))


def _identity(look: os.stat_result) -> _Identity:
    return look.st_dev, look.st_ino
