"""The data of each figure adds up to the totals of the explanation."""

from typing import Any

import numpy as np
import pytest

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.explanation.cells import levels_of, occupancy_cells
from allocsim.explanation.owners import Owner
from allocsim.explanation.snapshots import Snapshot
from allocsim.explanation.stacks import Stacks
from allocsim.pictures.bars import Bar, bars
from allocsim.pictures.heap_map import heap_map
from allocsim.pictures.icicle import DEPTH, Node, depth_of, icicle, tree_of
from allocsim.pictures.size_lifetime import FOREVER, owned_by_size_and_lifetime, size_lifetime
from allocsim.pictures.text_width import cut, cut_middle
from allocsim.pictures.timeline import Point, timeline
from allocsim.pictures.units import unit_for
from tests.pictures.pages import shown

KIB = 1 << 10


def values_of(view: Any) -> list[dict[str, Any]]:
    """Return the data of the first layer."""
    holder = view if "data" in view else view["layer"][0]
    found: list[dict[str, Any]] = holder["data"]["values"]
    return found


def test_a_unit_makes_the_largest_value_at_least_one() -> None:
    assert [unit_for(size).name for size in (0, 1023, 1024, 5 << 20, 1 << 41)] == [
        "B", "B", "KiB", "MiB", "GiB",
    ]  # fmt: skip


def test_parts_of_the_timeline_sum_to_the_footprint() -> None:
    points = [
        Point(10, {"live": 6 * KIB, "untouched": -KIB, "empty": KIB}),
        Point(20, {"live": 2 * KIB, "pinned": 3 * KIB}),
    ]
    figure = timeline(points, ("end", 20))
    data = values_of(figure.view(300))
    for point in points:
        sizes = [each["size"] for each in data if each["event"] == point.event]
        assert sum(sizes) * KIB == point.footprint
    assert [row[-1] for row in figure.rows] == ["6.0 KiB", "5.0 KiB"]
    assert figure.titles == ("event", "live", "pinned", "empty", "footprint")


def test_bars_have_each_part_that_is_not_empty() -> None:
    view = bars([Bar("a" * 90, "2.0 KiB", {"live": KIB, "pinned": KIB, "empty": 0})], 300, 3 * KIB)
    assert [(each["part"], each["size"]) for each in values_of(view)] == [
        ("live", 1.0), ("pinned", 1.0),
    ]  # fmt: skip
    name = view["layer"][1]["data"]["values"][0]["name"]
    assert "…" in name
    assert len(name) < 50


def test_a_name_that_does_not_fit_beside_its_note_has_a_line_of_its_own() -> None:
    rows = [
        Bar(
            "put 'remember_session guilty.cpp:6' in a separate heap",
            "8.8 MiB -19.8 MiB",
            {"live": 1},
        )
    ]
    assert bars(rows, 290)["height"] > bars(rows, 930)["height"]


def test_texts_are_cut_to_their_width() -> None:
    assert cut("remember", 1000) == "remember"
    assert cut("remember_session", 70) == "remember_…"
    assert cut("remember", 10) == ""
    assert cut_middle("remember_session guilty.cpp:6", 140) == "remember_…ilty.cpp:6"


SNAPSHOTS = [
    Snapshot(10, {"live": 1}, np.array([[5, 100, 100], [9, 100, 0]])),
    Snapshot(20, {"live": 1}, np.array([[5, 100, 30], [6, 100, 74]])),
]


def test_cells_of_the_heap_map_have_the_bytes_of_their_regions() -> None:
    cells, height = occupancy_cells(SNAPSHOTS, 48)
    assert height == 64 * KIB
    assert cells[:, :, 1].tolist() == [[100, 30], [0, 74], [0, 0]]
    assert levels_of(cells).tolist() == [[4, 2], [-1, 3], [0, -1]]
    fewer, height = occupancy_cells(SNAPSHOTS, 2)
    assert height == 128 * KIB
    assert fewer.sum() == cells.sum()


def test_equal_cells_of_a_row_are_drawn_as_one() -> None:
    snapshots = [
        SNAPSHOTS[1],
        Snapshot(30, {}, SNAPSHOTS[1].regions),
        Snapshot(40, {}, SNAPSHOTS[0].regions),
    ]
    data = values_of(heap_map(snapshots).view(300))
    assert [(each["from"], each["to"]) for each in data] == [(0, 30), (30, 40), (0, 30), (30, 40)]


def stacks() -> Stacks:
    """Return the stacks of an explanation."""
    found = shown().evidence.stacks()
    assert found is not None
    return found


def require_sums(node: Node) -> None:
    """Fail if functions own more than their callers."""
    assert sum(child.size for child in node.children.values()) <= node.size
    for child in node.children.values():
        require_sums(child)


def test_the_icicle_has_the_whole_footprint() -> None:
    root = tree_of(stacks())
    assert root.size == shown().explanation.moment.footprint
    assert sum(child.size for child in root.children.values()) == root.size
    require_sums(root)
    assert depth_of(root) == 3
    assert [*root.children["main app.cpp:26"].children]
    assert icicle(stacks()).rows[0][0] == "footprint"


def test_a_deep_stack_loses_functions_that_call_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [f"f{number}" for number in range(3 * DEPTH)]
    monkeypatch.setattr("allocsim.pictures.icicle._names", lambda *_: frames)
    root = tree_of(stacks())
    assert depth_of(root) <= DEPTH
    node = root
    while "f29" not in node.children:
        (node,) = [child for name, child in node.children.items() if name.startswith("f")]
    require_sums(root)


def test_a_deep_tree_that_branches_everywhere_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = iter([[*"abcdefghijkl"], ["a", "x"], ["a", "b", "x"], *([*"abcdefghijk"],) * 99])
    monkeypatch.setattr("allocsim.pictures.icicle._names", lambda *_: next(lists))
    assert depth_of(tree_of(stacks())) <= DEPTH


def test_an_icicle_of_many_functions_shows_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Node("footprint", {"live": 6000})
    for number in range(1, 100):
        root.children[f"f{number}"] = Node(f"f{number}", {"live": number})
    monkeypatch.setattr("allocsim.pictures.icicle.tree_of", lambda _: root)
    monkeypatch.setattr("allocsim.pictures.icicle.MAX_CELLS", 10)
    rows = icicle(stacks()).rows
    assert [row[0].lstrip("· ") for row in rows] == [
        "footprint", *(f"f{number}" for number in range(99, 90, -1)),
    ]  # fmt: skip


def test_sizes_and_lifetimes_have_all_owned_bytes() -> None:
    found = shown().explanation
    owned = owned_by_size_and_lifetime(shown().evidence)
    total = sum(owner.owned for owner in found.owners if owner.by == "size")
    assert sum(owned.values()) == total
    assert {span for _, span in owned} == {FOREVER}
    usable = shown().evidence.heap.usable
    assert {size for size, _ in owned} == {int(each - 1).bit_length() for each in usable}
    assert len(values_of(size_lifetime(shown().evidence).view(900))) == len(owned)


def test_function_whose_caller_is_left_out_does_not_replace_another_of_its_name() -> None:
    """`a` calls only `b`, so `b` could replace `a`. Another stack begins with a `b` of 7 bytes."""
    chain = [Frame(f"f{depth}", "/src/p.py", 1) for depth in range(2 * DEPTH)]
    frames = [[Frame(name, "/src/p.py", 1)] for name in "ab"] + [[frame] for frame in chain]
    parents = [0, 0, 1, 0, 0, *range(4, 3 + 2 * DEPTH)]  # -, a, b called by a, other b, chain
    table = table_of_addresses(parents, [0, 0, 1, 1, *range(2, 2 + 2 * DEPTH)], frames)
    owned = {2: 5, 3: 7, len(parents) - 1: 9}
    owners = [Owner("stack", str(node), 1, 0, 0, 0, size, 0, 0, 0) for node, size in owned.items()]
    root = tree_of(Stacks(table, owners, {}))
    assert depth_of(root) <= DEPTH
    assert sum(child.size for child in root.children.values()) == root.size == 21
