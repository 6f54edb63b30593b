"""Filters: what is malformed, what matches, and that both ways of running one agree."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.attributes import Columns
from retrieval.errors import InvalidFilter
from retrieval.filters import effective, mask, matches, parse_filter


def compare(op: str, key: Any, value: Any) -> dict[str, Any]:
    return {"type": op, "key": key, "value": value}


# --- malformed in itself --------------------------------------------------------------

GOOD = compare("eq", "a", 1)


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        # unknown operator, wherever it stands
        (compare("like", "a", 1), "filters.type"),
        (compare("EQ", "a", 1), "filters.type"),
        (compare("not", "a", 1), "filters.type"),
        ({"type": "and", "filters": [GOOD, compare("=", "a", 1)]}, "filters.filters[1].type"),
        (compare(["eq"], "a", 1), "filters.type"),
        # missing key
        ({"key": "a", "value": 1}, "filters.type"),
        ({"type": "eq", "value": 1}, "filters.key"),
        ({"type": "eq", "key": "a"}, "filters.value"),
        ({"type": "in", "property": "a"}, "filters.value"),
        ({"type": "or"}, "filters.filters"),
        (
            {"type": "and", "filters": [GOOD, {"type": "ne", "key": "a"}]},
            "filters.filters[1].value",
        ),
        ({"type": "and", "filters": [{}]}, "filters.filters[0].type"),
        # array where a scalar belongs, and the other way round
        (compare("eq", "a", [1]), "filters.value"),
        (compare("ne", "a", ["x"]), "filters.value"),
        (compare("gte", "a", [1]), "filters.value"),
        (compare("in", "a", 1), "filters.value"),
        (compare("nin", "a", "x"), "filters.value"),
        (compare("eq", "a", {"x": 1}), "filters.value"),
        (compare("in", "a", [1, [2]]), "filters.value[1]"),
        (compare("in", "a", ["x", {}]), "filters.value[1]"),
        # null anywhere
        (compare(None, "a", 1), "filters.type"),
        (compare("eq", None, 1), "filters.key"),
        (compare("eq", "a", None), "filters.value"),
        (compare("gt", "a", None), "filters.value"),
        (compare("in", "a", None), "filters.value"),
        (compare("in", "a", ["x", None]), "filters.value[1]"),
        ({"type": "and", "filters": None}, "filters.filters"),
        ({"type": "or", "filters": [GOOD, None]}, "filters.filters[1]"),
        ({"type": "eq", "property": None, "value": 1}, "filters.property"),
        # booleans have no order and are no members
        (compare("gt", "a", True), "filters.value"),
        (compare("gte", "a", False), "filters.value"),
        (compare("lt", "a", True), "filters.value"),
        (compare("lte", "a", True), "filters.value"),
        (compare("in", "a", [True]), "filters.value[0]"),
        (compare("nin", "a", ["x", False]), "filters.value[1]"),
        # numbers that are none
        (compare("eq", "a", float("nan")), "filters.value"),
        (compare("gt", "a", float("inf")), "filters.value"),
        (compare("in", "a", [1, -float("inf")]), "filters.value[1]"),
        (compare("lt", "a", 10**400), "filters.value"),
        # wrong shapes
        ([], "filters"),
        ([GOOD], "filters"),
        ("a = 1", "filters"),
        (7, "filters"),
        (True, "filters"),
        ({"type": "and", "filters": []}, "filters.filters"),
        ({"type": "and", "filters": GOOD}, "filters.filters"),
        ({"type": "and", "filters": ["x"]}, "filters.filters[0]"),
        (compare("eq", 5, 1), "filters.key"),
        ({**GOOD, "property": "a"}, "filters.property"),
        ({**GOOD, "filters": []}, "filters.filters"),
        ({"type": "or", "filters": [GOOD], "key": "a"}, "filters.key"),
        ({**GOOD, "case": "no"}, "filters.case"),
    ],
)
def test_malformed_filter_names_the_path(obj: Any, path: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(obj)
    assert caught.value.path == caught.value.param == path
    assert path in str(caught.value)
    assert caught.value.code


def test_path_starts_with_the_field_that_held_the_filter() -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(compare("eq", "a", None), path="tools[0].filters")
    assert caught.value.param == "tools[0].filters.value"


def test_nothing_asked_is_no_filter() -> None:
    assert parse_filter(None) is None
    assert parse_filter({}) is None
    assert matches(None, {}, filename="f", file_id="i")


def nested(depth: int) -> dict[str, Any]:
    node = GOOD
    for _ in range(depth - 1):
        node = {"type": "and", "filters": [node]}
    return node


def test_depth_64_is_allowed_and_65_is_not() -> None:
    assert parse_filter(nested(64)) is not None
    with pytest.raises(InvalidFilter, match="64 deep"):
        parse_filter(nested(65))


def test_depth_far_beyond_the_limit_does_not_exhaust_the_stack() -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(nested(100_000))


def test_1000_nodes_are_allowed_and_1001_are_not() -> None:
    assert parse_filter({"type": "or", "filters": [GOOD] * 999}) is not None
    with pytest.raises(InvalidFilter, match="1000"):
        parse_filter({"type": "or", "filters": [GOOD] * 1000})


# --- what matches ---------------------------------------------------------------------

BIG = 2**53


@pytest.mark.parametrize(
    ("op", "value", "attribute", "expected"),
    [
        ("eq", 1, 1, True),
        ("eq", 1, 1.0, True),
        ("eq", 1, True, False),
        ("eq", True, 1, False),
        ("eq", False, 0, False),
        ("eq", True, True, True),
        ("eq", "1", 1, False),
        ("eq", 1, "1", False),
        ("ne", 1, True, True),
        ("ne", "1", 1, True),
        ("eq", "Ä", "ä", False),
        ("eq", "a", "a\0", False),
        ("gt", 1, 2, True),
        ("gt", 1, True, False),
        ("gte", 1, "2", False),
        ("lt", "b", "a", True),
        ("lt", "b", "B", True),  # U+0042 before U+0062
        ("gt", "z", "é", True),
        ("gt", "\uffff", "\U00010000", True),  # code points, not UTF-16 units
        ("lt", "b", 1, False),
        ("in", [], 1, False),
        ("nin", [], 1, True),
        ("in", [1, "x"], "x", True),
        ("in", [1, "x"], 1, True),
        ("in", [1], True, False),
        ("nin", [1], True, True),
        ("eq", BIG - 1, BIG, False),
        ("eq", BIG + 1, BIG, True),  # beyond 2**53 integers compare as doubles
        ("gt", BIG - 1, BIG, True),
        ("eq", -0.0, 0, True),
        ("lt", 1, 10**400, False),
        ("gt", 1, 10**400, True),
    ],
)
def test_value_matches_within_its_type(
    op: str, value: Any, attribute: Any, expected: bool
) -> None:
    assert run_both(compare(op, "k", value), [{"k": attribute}]) == [expected]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [("eq", 1, False), ("gt", 1, False), ("in", [1], False), ("ne", 1, True), ("nin", [1], True)],
)
def test_missing_key_matches_only_ne_and_nin(op: str, value: Any, expected: bool) -> None:
    assert run_both(compare(op, "absent", value), [{"k": 1}]) == [expected]


def test_filename_and_id_stand_in_unless_an_attribute_has_their_name() -> None:
    files = [{}, {"filename": "mine.txt"}, {"filename": 5}, {"file_id": "x"}]
    assert run_both(compare("eq", "filename", "f0"), files) == [True, False, False, False]
    assert run_both({"type": "in", "property": "filename", "value": ["f0", "f3"]}, files) == [
        True, False, False, True,
    ]  # fmt: skip
    assert run_both(compare("eq", "filename", 5), files) == [False, False, True, False]
    assert run_both(compare("eq", "file_id", "id3"), files) == [False] * 4
    assert run_both(compare("ne", "file_id", "id0"), files) == [False, True, True, True]


def run_both(obj: Any, files: list[dict[str, Any]]) -> list[bool]:
    """The mask over columns, after checking that the one-file reading says the same."""
    parsed = parse_filter(obj)
    columns = Columns()
    for i, attributes in enumerate(files):
        columns.append(effective(attributes, filename=f"f{i}", file_id=f"id{i}"))
    kept = [bool(k) for k in mask(parsed, columns.freeze())]
    alone = [
        matches(parsed, attributes, filename=f"f{i}", file_id=f"id{i}")
        for i, attributes in enumerate(files)
    ]
    assert kept == alone
    return kept


# --- the oracle: the contract read literally, on raw JSON -----------------------------


def json_type(value: Any) -> str:
    if value is True or value is False:
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def oracle(  # noqa: PLR0911 -- one return a sentence of the contract
    node: Mapping[str, Any], file: Mapping[str, Any], name: str, id: str
) -> bool:
    op = node["type"]
    if op == "and":
        return all(oracle(child, file, name, id) for child in node["filters"])
    if op == "or":
        return any(oracle(child, file, name, id) for child in node["filters"])
    key = node.get("key", node.get("property"))
    wanted = node["value"]
    if key in file:
        has, value = True, file[key]
    else:
        has = key in ("filename", "file_id")
        value = name if key == "filename" else id
    if op in ("ne", "nin"):
        return not oracle({**node, "type": {"ne": "eq", "nin": "in"}[op]}, file, name, id)
    if not has:
        return False
    if op == "in":
        return any(json_type(value) == json_type(item) and value == item for item in wanted)
    if json_type(value) != json_type(wanted):
        return False
    if op == "eq":
        return value == wanted
    a, b = (value, wanted) if json_type(value) == "number" else (points(value), points(wanted))
    return {"gt": a > b, "gte": a >= b, "lt": a < b, "lte": a <= b}[op]


def points(text: str) -> list[int]:
    return [ord(c) for c in text]


KEYS = ("k", "n", "s", "filename", "file_id", "absent")
SCALARS = (
    *("", "a", "b", "ab", "B", "é", "1", "true", "a\0", "\U0001f600", "\ue000", "f1", "id2"),
    *(0, 1, -1, 2, 1.5, -0.0, 1.0, BIG - 1, BIG, -BIG, 1e300, 5e-324),
    *(True, False),
)
ORDERED = tuple(v for v in SCALARS if not isinstance(v, bool))


def random_tree(rng: random.Random, depth: int) -> dict[str, Any]:
    if depth and rng.random() < 0.45:
        n = rng.randint(1, 3)
        children = [random_tree(rng, depth - 1) for _ in range(n)]
        return {"type": rng.choice(("and", "or")), "filters": children}
    name = "property" if rng.random() < 0.2 else "key"
    op = rng.choice(("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"))
    if op in ("in", "nin"):
        value: Any = [rng.choice(ORDERED) for _ in range(rng.randint(0, 4))]
    else:
        value = rng.choice(SCALARS if op in ("eq", "ne") else ORDERED)
    return {"type": op, name: rng.choice(KEYS), "value": value}


def random_file(rng: random.Random) -> dict[str, Any]:
    return {key: rng.choice(SCALARS) for key in KEYS[:5] if rng.random() < 0.5}


def test_mask_and_predicate_equal_the_oracle_on_20000_random_trees() -> None:
    rng = random.Random(20_000)
    for round_ in range(200):
        files = [random_file(rng) for _ in range(12)]
        columns = Columns()
        for i, file in enumerate(files):
            columns.append(effective(file, filename=f"f{i}", file_id=f"id{i}"))
        view = columns.freeze()
        columns.append(effective(random_file(rng), filename="later", file_id="later"))
        for _ in range(100):
            tree = random_tree(rng, 4)
            parsed = parse_filter(tree)
            expected = [oracle(tree, file, f"f{i}", f"id{i}") for i, file in enumerate(files)]
            assert mask(parsed, view).tolist() == expected, (round_, tree, files)
            i = rng.randrange(12)
            alone = matches(parsed, files[i], filename=f"f{i}", file_id=f"id{i}")
            assert alone == expected[i], (round_, tree, files[i])


def test_long_lists_equal_the_oracle_while_files_are_added() -> None:
    rng = random.Random(5)
    columns = Columns()
    files: list[dict[str, Any]] = []
    for _ in range(40):
        for _ in range(rng.choice((1, 60))):
            files.append(
                random_file(rng) | {"n": rng.randint(-60, 60) / 2, "s": f"{rng.random():.2f}"}
            )
            columns.append(effective(files[-1], filename=f"f{len(files)}", file_id="id"))
        view, n = columns.freeze(), len(files)
        files.append(random_file(rng))
        columns.append(effective(files[-1], filename=f"f{len(files)}", file_id="id"))
        numbers = [rng.randint(-60, 60) / 2 for _ in range(rng.randint(17, 60))]
        texts = [f"{rng.random():.2f}" for _ in range(40)]
        for key, wanted in (("n", [*numbers, *texts]), ("s", texts), ("k", [*ORDERED])):
            tree = {"type": rng.choice(("in", "nin")), "key": key, "value": wanted}
            expected = [oracle(tree, file, f"f{i}", "id") for i, file in enumerate(files[:n], 1)]
            assert mask(parse_filter(tree), view).tolist() == expected


def trees() -> st.SearchStrategy[dict[str, Any]]:
    scalar = (
        st.text(max_size=3) | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
    )
    key = st.sampled_from(KEYS)
    leaf = st.one_of(
        st.builds(compare, st.sampled_from(("eq", "ne")), key, scalar | st.booleans()),
        st.builds(compare, st.sampled_from(("gt", "gte", "lt", "lte")), key, scalar),
        st.builds(compare, st.sampled_from(("in", "nin")), key, st.lists(scalar, max_size=4)),
    )
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda op, filters: {"type": op, "filters": filters},
            st.sampled_from(("and", "or")),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=8,
    )


FILES = st.lists(
    st.dictionaries(
        st.sampled_from(KEYS[:5]),
        st.text(max_size=3) | st.integers(-3, 3) | st.booleans() | st.floats(-3, 3),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None, database=None)
@given(trees(), FILES)
def test_mask_equals_the_oracle_on_shrinkable_trees(
    tree: dict[str, Any], files: list[dict[str, Any]]
) -> None:
    expected = [oracle(tree, file, f"f{i}", f"id{i}") for i, file in enumerate(files)]
    assert run_both(tree, files) == expected


# --- columns --------------------------------------------------------------------------


def test_saved_columns_give_the_same_masks_and_grow_on() -> None:
    rng = random.Random(5)
    files = [random_file(rng) for _ in range(40)]
    grown = Columns()
    for i, file in enumerate(files[:30]):
        grown.append(effective(file, filename=f"f{i}\ud800", file_id=f"id{i}"))
    arrays, names = grown.save()
    for array in arrays.values():
        array.flags.writeable = False
    loaded = Columns.load(arrays, [list(name) for name in names], n_rows=30)
    for i, file in enumerate(files[30:]):
        for columns in (grown, loaded):
            columns.append(effective(file, filename=f"g{i}", file_id=f"id{i}"))
    for _ in range(300):
        parsed = parse_filter(random_tree(rng, 3))
        assert (mask(parsed, grown.freeze()) == mask(parsed, loaded.freeze())).all()


def test_many_texts_keep_code_point_order_while_they_grow() -> None:
    columns = Columns()
    names = [f"name {i * 7919 % 500:03d}" for i in range(500)]
    for i, name in enumerate(names):
        columns.append({"name": name})
        if i % 17 == 0:
            bound = names[i // 2]
            for op, expected in (
                ("lt", [n < bound for n in names[: i + 1]]),
                ("gte", [n >= bound for n in names[: i + 1]]),
                ("lte", [n <= bound for n in names[: i + 1]]),
            ):
                parsed = parse_filter(compare(op, "name", bound))
                assert mask(parsed, columns.freeze()).tolist() == expected


def test_100000_files_become_a_mask_in_milliseconds() -> None:
    rng = np.random.default_rng(3)
    years, teams = rng.integers(1990, 2030, 100_000), rng.integers(0, 500, 100_000)
    columns = Columns()
    for i in range(100_000):
        columns.append({"year": int(years[i]), "team": f"team {teams[i]}", "open": bool(i % 3)})
    parsed = parse_filter(
        {
            "type": "and",
            "filters": [
                compare("gte", "year", 2000),
                compare("lt", "year", 2020),
                {
                    "type": "or",
                    "filters": [
                        compare("in", "team", [f"team {i}" for i in range(9)]),
                        compare("eq", "open", True),
                    ],
                },
            ],
        }
    )
    view = columns.freeze()
    times = []
    for _ in range(20):
        start = time.perf_counter()
        kept = mask(parsed, view)
        times.append(time.perf_counter() - start)
    in_team, is_open = teams < 9, np.arange(100_000) % 3 > 0
    assert (kept == ((years >= 2000) & (years < 2020) & (in_team | is_open))).all()
    assert min(times) < 0.02  # 0.5 ms where measured; the rest is room for a busy machine
