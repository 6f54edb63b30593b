"""Attributes of files: from paths, manifests and the command line."""

import math

import pytest

from api.batch.label import labeller, same_attributes
from api.batch.manifest import read_manifest
from api.batch.path_patterns import parse_pattern
from api.batch.scalars import guess, read_as
from api.batch.types import FoundFile, Selection
from retrieval.errors import InvalidRequest


@pytest.fixture
def write(tmp_path):
    """A manifest beside three files, and one in a folder."""
    for name in ("a.txt", "b.txt", "späte uhr.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.txt").write_text("x")

    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def read(path):
    """By relative path, so that tests are short."""
    root = path.parent.resolve()
    found = read_manifest(path)
    return {str(location.relative_to(root)): dict(each) for location, each in found.items()}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("3", 3), ("-2.5", -2.5), ("1e3", 1000.0), ("true", True), ("false", False),
        ("True", "True"), ("007", "007"), ("", ""), ("null", "null"), ("[1]", "[1]"),
        ("NaN", "NaN"), ("-Infinity", "-Infinity"), ('"3"', '"3"'), ("a b", "a b"),
    ],
)  # fmt: skip
def test_text_is_taken_for_a_number_or_boolean_only_if_it_is_one_in_json(raw, value):
    assert guess(raw) == value
    assert type(guess(raw)) is type(value)


@pytest.mark.parametrize(
    ("type_name", "raw", "value"),
    [("str", "007", "007"), ("int", "007", 7), ("float", "2", 2.0), ("bool", "YES", True)],
)
def test_a_given_type_decides(type_name, raw, value):
    assert read_as(type_name, raw) == value
    assert type(read_as(type_name, raw)) is type(value)


@pytest.mark.parametrize(("type_name", "raw"), [("int", "2.5"), ("bool", "maybe"), ("float", "x")])
def test_what_is_not_of_the_given_type_is_refused(type_name, raw):
    with pytest.raises(ValueError, match=f"is no {type_name}"):
        read_as(type_name, raw)


def test_a_float_must_be_finite():
    with pytest.raises(InvalidRequest):
        read_as("float", str(math.inf))


# --- path patterns ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "attributes"),
    [
        ("{team}/{year:int}/**", "ops/2024/a/b.txt", {"team": "ops", "year": 2024}),
        ("{team}/{year:int}/**", "ops/2024/a.txt", {"team": "ops", "year": 2024}),
        ("{team}/{year:int}/**", "ops/latest/a.txt", {}),
        ("{team}/{year:int}/**", "2024/a.txt", {}),
        ("**/{name}.txt", "a/b/c.txt", {"name": "c"}),
        ("**/{name}.txt", "c.txt", {"name": "c"}),
        ("{kind}-{number:int}.*", "report-17.pdf", {"kind": "report", "number": 17}),
        ("{price:float}/*", "-2.50/x", {"price": -2.5}),
        ("{draft:bool}/*", "no/x", {"draft": False}),
        ("{zip:str}/*", "01234/x", {"zip": "01234"}),
        ("{team}/?.txt", "ops/ab.txt", {}),
        ("{team}/[x]+(y).txt", "ops/[x]+(y).txt", {"team": "ops"}),
        ("{team}/*", "ops/a/b.txt", {}),
    ],
)
def test_a_pattern_reads_what_stands_in_a_path(pattern, path, attributes):
    assert parse_pattern(pattern).read(path) == attributes


@pytest.mark.parametrize(
    ("pattern", "column", "reason"),
    [
        ("{team/x", 1, "without its other brace"),
        ("a/team}/x", 7, "without its other brace"),
        ("{team}/{team}", 8, "twice"),
        ("{year:number}", 1, "none of the types"),
        ("{}/x", 1, "needs a name"),
        ("a/b", 1, "no {name}"),
    ],
)
def test_a_wrong_pattern_is_refused_with_its_column(pattern, column, reason):
    with pytest.raises(InvalidRequest, match=f"column {column}: ") as caught:
        parse_pattern(pattern)
    assert reason in str(caught.value)


# --- manifests --------------------------------------------------------------------------------


def test_json_lines_name_a_path_and_attributes(write):
    path = write("m.jsonl", '{"path": "a.txt", "attributes": {"n": 1}, "more": 2}\n\n')
    assert read(path) == {"a.txt": {"n": 1}}


def test_csv_cells_are_numbers_booleans_or_text_and_may_be_empty(write):
    path = write("m.csv", "file,year,ok,note\na.txt,2024,true,x y\ndeep/c.txt,,,\n")
    assert read(path) == {"a.txt": {"year": 2024, "ok": True, "note": "x y"}, "deep/c.txt": {}}


def test_csv_columns_may_say_their_type(write):
    path = write("m.csv", "path,zip:str,year:int\nb.txt,01234,007\n")
    assert read(path) == {"b.txt": {"zip": "01234", "year": 7}}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(write, delimiter):
    rows = [["Path", "team"], ["späte uhr.txt", '"say ""hi"""']]
    path = write("m.CSV", "\r\n".join(delimiter.join(row) for row in rows), "utf-8-sig")
    assert read(path) == {"späte uhr.txt": {"team": 'say "hi"'}}


def test_toml_has_a_table_for_each_file(write):
    path = write("m.toml", '["a.txt"]\nyear = 2024\nok = true\n\n["deep/c.txt"]\nnote = "x"\n')
    assert read(path) == {"a.txt": {"year": 2024, "ok": True}, "deep/c.txt": {"note": "x"}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.jsonl", '{"path": "a.txt", "attributes": {}}\n{"path": }\n', "m.jsonl:2: this is not JSON, column 10"),
        ("m.jsonl", '{"path": "a.txt"}\n', "m.jsonl:1: expected an object"),
        ("m.jsonl", '{"path": "a.txt", "attributes": {"x": [1]}}\n', "m.jsonl:1: Invalid 'attributes.x'"),
        ("m.jsonl", '{"path": "a.txt", "attributes": {"x": "\\ud800"}}\n', "m.jsonl:1: "),
        ("m.jsonl", '{"path": "z.txt", "attributes": {}}\n', "m.jsonl:1: there is no file"),
        ("m.csv", "", "m.csv:1: there is no column 'path' or 'file', only none"),
        ("m.csv", "name,year\na.txt,1\n", "m.csv:1: there is no column 'path' or 'file'"),
        ("m.csv", "path,year:int\na.txt,1\nb.txt,x\n", "m.csv:3: column 2 (year): 'x' is no int"),
        ("m.csv", "path,year\na.txt,1,2\n", "m.csv:2: column 3: there are more cells"),
        ("m.csv", "path,year\n,1\n", "m.csv:2: column 1: the path is missing"),
        ("m.csv", "path,x,x\na.txt,1,2\n", "m.csv:1: column 3: 'x' is there twice"),
        ("m.csv", "path,,x\na.txt,1,2\n", "m.csv:1: column 2 has no name"),
        ("m.csv", 'path,x\na.txt,"open\n', "m.csv:"),
        ("m.toml", '["a.txt"]\nyear = \n', "line 2"),
        ("m.toml", "year = 1\n", "outside of a table"),
        ("m.toml", '["a.txt"]\nx = 1\n\n["b.txt"]\ny = [1]\n', "m.toml:4: Invalid 'attributes.y'"),
        ("m.toml", "[a.txt]\nx = 1\n", 'write ["a.txt"] with quotes'),
        ("m.toml", '["a.txt"]\nday = 2024-01-01\n', "m.toml:1: Invalid 'attributes.day'"),
    ],
)  # fmt: skip
def test_a_wrong_manifest_is_refused_with_its_place(write, name, text, message):
    with pytest.raises(InvalidRequest) as caught:
        read_manifest(write(name, text))
    assert message in str(caught.value)


def test_a_manifest_that_is_not_utf_8_is_refused(write):
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        read_manifest(write("m.csv", "path,x\na.txt,é\n", "latin-1"))


# --- which counts -----------------------------------------------------------------------------


def test_the_last_source_of_an_attribute_counts(tmp_path):
    selection = Selection(
        attributes={"a": 1, "b": 1, "c": 1},
        from_path=(parse_pattern("{b:int}/**"),),
        manifest={tmp_path / "2" / "x.txt": {"c": 3}},
    )
    label = labeller(selection)
    assert label(FoundFile(str(tmp_path / "2" / "x.txt"), "2/x.txt", 1, 1)) == {
        "a": 1,
        "b": 2,
        "c": 3,
    }
    assert label(FoundFile(str(tmp_path / "y.txt"), "y.txt", 1, 1)) == {"a": 1, "b": 1, "c": 1}


def test_sixteen_attributes_are_the_limit_after_merging(tmp_path):
    label = labeller(Selection({str(i): i for i in range(16)}, (parse_pattern("{more}/**"),)))
    label(FoundFile(str(tmp_path / "x.txt"), "x.txt", 1, 1))
    with pytest.raises(InvalidRequest, match="at most 16"):
        label(FoundFile(str(tmp_path / "a" / "x.txt"), "a/x.txt", 1, 1))


def test_a_boolean_is_another_value_than_its_number():
    assert same_attributes({"a": 1}, {"a": 1})
    assert not same_attributes({"a": True}, {"a": 1})
    assert not same_attributes({"a": 1.0}, {"a": 1})
    assert not same_attributes({"a": 1}, {})
