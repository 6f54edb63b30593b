"""Which files a walk takes: ignore files, patterns, links, odd things, unreadable folders."""

import os
import socket

import pytest

from api.batch.find import Finder
from api.batch.types import Selection
from retrieval.errors import InvalidRequest


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return root


def found(root, **choices):
    return [file.path for file in Finder([root], Selection(**choices)).find()]


@pytest.fixture
def tree(tmp_path):
    return make(
        tmp_path / "t", "b.txt", "a/x.md", "a/deep/y.txt", "a.md", ".hidden", ".conf/z.txt"
    )


def test_files_come_in_order_with_hidden_ones_left_out(tree):
    assert found(tree) == ["a/deep/y.txt", "a/x.md", "a.md", "b.txt"]
    assert set(found(tree, hidden=True)) - set(found(tree)) == {".hidden", ".conf/z.txt"}


def test_folders_of_version_control_are_never_entered(tree):
    make(tree, ".git/config", "sub/.git/HEAD")
    assert not any(".git" in path for path in found(tree, hidden=True))


def test_several_globs_match_paths_or_names(tree):
    assert found(tree, globs=("*.md",)) == ["a/x.md", "a.md"]
    assert set(found(tree, globs=("a/deep/*", "b.*"))) == {"a/deep/y.txt", "b.txt"}


def test_excludes_are_gitignore_patterns(tree):
    assert set(found(tree, exclude=("a/",))) == {"a.md", "b.txt"}
    assert set(found(tree, exclude=("*.txt", "!y.txt"))) == {"a.md", "a/x.md", "a/deep/y.txt"}
    assert set(found(tree, exclude=("/a.md", "**/deep/**"))) == {"a/x.md", "b.txt"}


def test_a_pattern_that_is_none_is_refused(tree):
    with pytest.raises(InvalidRequest, match="'!' is not a gitignore pattern"):
        Finder([tree], Selection(exclude=("!",)))


def test_ignore_files_hold_in_their_folder_and_below(tree):
    make(tree, "a/skip.log", "a/deep/skip.log", "skip.log")
    (tree / "a" / ".gitignore").write_text("*.log\n/x.md\n")
    paths = found(tree)
    assert "skip.log" in paths
    assert {"a/skip.log", "a/deep/skip.log", "a/x.md"}.isdisjoint(paths)
    assert {"a/skip.log", "a/deep/skip.log", "a/x.md"} <= set(found(tree, ignore_files=False))


def test_a_deeper_ignore_file_decides_before_a_higher_one(tree):
    make(tree, "a/keep.log", "a/deep/keep.log")
    (tree / ".gitignore").write_text("*.log\n")
    (tree / "a" / "deep" / ".gitignore").write_text("!keep.log\n")
    assert "a/deep/keep.log" in found(tree)
    assert "a/keep.log" not in found(tree)


def test_our_own_ignore_file_decides_before_gits(tree):
    (tree / ".gitignore").write_text("*.md\n")
    (tree / ".sourcebookignore").write_text("!a.md\nb.txt\n")
    assert found(tree) == ["a/deep/y.txt", "a.md"]


def test_nothing_below_a_folder_that_is_left_out_comes_back(tree):
    (tree / ".gitignore").write_text("a/\n!a/x.md\n")
    assert set(found(tree)) == {"a.md", "b.txt"}


def test_lines_of_an_ignore_file_that_are_no_patterns_are_passed_over(tree):
    (tree / ".gitignore").write_bytes(b"!\n# comment\n\n[z-a]\ncaf\xe9\n*.md\n")
    assert set(found(tree)) == {"a/deep/y.txt", "b.txt"}


def test_what_is_left_out_is_counted(tree):
    (tree / ".gitignore").write_text("*.md\n")
    finder = Finder([tree], Selection(exclude=("b.txt",), globs=("*.txt",)))
    assert [file.path for file in finder.find()] == ["a/deep/y.txt"]
    assert finder.left_out == {"hidden": 3, "ignored": 2, "excluded": 1}


def test_links_to_files_are_taken_and_to_folders_only_when_asked(tree, tmp_path):
    make(tmp_path / "elsewhere", "w.txt")
    (tree / "link.txt").symlink_to(tree / "b.txt")
    (tree / "folder").symlink_to(tmp_path / "elsewhere")
    (tree / "broken").symlink_to(tree / "nothing")
    finder = Finder([tree], Selection())
    paths = [file.path for file in finder.find()]
    assert "link.txt" in paths
    assert "folder/w.txt" not in paths
    assert finder.left_out["link_to_folder"] == finder.left_out["broken_link"] == 1
    assert "folder/w.txt" in found(tree, follow_links=True)


def test_a_loop_of_links_ends(tree):
    (tree / "a" / "deep" / "up").symlink_to(tree)
    (tree / "a" / "deep" / "self").symlink_to("self")
    finder = Finder([tree], Selection(follow_links=True))
    assert {file.path for file in finder.find()} == {"a.md", "a/x.md", "a/deep/y.txt", "b.txt"}
    assert finder.left_out["link_loop"] == 2


def test_pipes_and_sockets_are_passed_over(tree, monkeypatch):
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tree)  # names of sockets are short
        listener.bind("sock")
        finder = Finder([tree], Selection())
        assert len(list(finder.find())) == 4
    assert finder.left_out["special"] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_reported(tree):
    (tree / "a").chmod(0)
    try:
        finder = Finder([tree], Selection())
        assert [file.path for file in finder.find()] == ["a.md", "b.txt"]
        assert [(each.path, each.code) for each in finder.failures] == [("a/", "unreadable")]
    finally:
        (tree / "a").chmod(0o700)


def test_a_root_that_went_is_reported_and_not_raised(tree, tmp_path):
    finder = Finder([tree], Selection())
    tree.rename(tmp_path / "gone")
    assert list(finder.find()) == []
    assert [(each.path, each.code) for each in finder.failures] == [(".", "unreadable")]


def test_two_files_with_one_relative_path_are_refused(tmp_path):
    roots = [make(tmp_path / name, "same.txt") for name in "ab"]
    with pytest.raises(InvalidRequest, match=r"same\.txt"):
        list(Finder(roots, Selection()).find())


def test_a_root_given_twice_counts_once(tree, tmp_path):
    (tmp_path / "link").symlink_to(tree)
    assert len(list(Finder([tree, tmp_path / "link"], Selection()).find())) == 4


def test_a_file_given_by_name_needs_no_rule_but_globs_and_excludes(tree):
    (tree / ".gitignore").write_text("*.md\n")
    assert found(tree / ".hidden") == [".hidden"]
    assert found(tree / "a.md") == ["a.md"]
    assert found(tree / "a.md", exclude=("*.md",)) == []


def test_the_data_folder_is_not_entered(tree):
    data = make(tree / "data", "blob.txt")
    finder = Finder([tree], Selection(), but_not=data)
    assert "data/blob.txt" not in [file.path for file in finder.find()]
    assert list(Finder([data], Selection(), but_not=data).find()) == []
    assert finder.path_of(str(data / "blob.txt")) is None


def test_very_deep_trees_are_walked(tmp_path):
    where = tmp_path
    for _ in range(400):
        where = where / "d"
        where.mkdir()
    (where / "x.txt").write_text("deep")
    assert len(found(tmp_path)) == 1


# --- a part of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        ("", {"a.md", "a/x.md", "a/deep/y.txt", "b.txt"}),
        ("a", {"a/x.md", "a/deep/y.txt"}),
        ("a/deep/y.txt", {"a/deep/y.txt"}),
        ("nothing", set()),
        ("nothing/x.txt", set()),
        (".conf/z.txt", set()),
        ("b.txt/c", set()),
    ],
)
def test_a_look_at_a_part_finds_what_the_walk_would(tree, place, paths):
    finder = Finder([tree], Selection())
    assert {
        file.path for file in finder.find_at(str(tree / place) if place else str(tree))
    } == paths


def test_a_look_at_a_part_obeys_the_rules_above_it(tree):
    (tree / ".gitignore").write_text("deep/\n")
    finder = Finder([tree], Selection())
    assert list(finder.find_at(str(tree / "a" / "deep" / "y.txt"))) == []
    assert list(finder.find_at(str(tree / "a" / "deep"))) == []


def test_paths_of_places_that_are_gone_are_known(tree):
    finder = Finder([tree, tree / "a" / "x.md"], Selection())
    assert finder.path_of(str(tree / "gone" / "x.txt")) == "gone/x.txt"
    assert finder.path_of(str(tree)) == ""
    assert finder.path_of("/elsewhere/x.txt") is None


def test_files_without_text_are_counted_and_no_failure(tree):
    (tree / "__init__.py").touch()
    (tree / "package.py").write_text("\n \n")
    (tree / "one.txt").write_text("1")
    finder = Finder([tree], Selection())
    assert "one.txt" in [file.path for file in finder.find()]
    assert finder.left_out["empty"] == 2
    assert not finder.failures


def test_a_link_to_itself_is_left_out(tree):
    (tree / "self").symlink_to("self")
    finder = Finder([tree], Selection())
    assert list(finder.find())
    assert finder.left_out["link_loop"] == 1
    assert not finder.failures
