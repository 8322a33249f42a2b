"""Collapsed stacks, parsed as flamegraph.pl does."""

import pytest

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.errors import InputError
from allocsim.explanation.owners import Owner
from allocsim.explanation.stacks import MEASURES, Stacks
from allocsim.reports.collapsed_stacks import collapsed_stacks
from tests.reports.explanations import random_stacks


def owner(node: int) -> Owner:
    """Return an owner for the stack that ends at a node, with 5 objects and 9 bytes."""
    return Owner("stack", str(node), 5, 0, 0, 0, 9, 0, 0, 0)


@pytest.mark.parametrize("measure", MEASURES)
def test_lines_sum_to_the_figures_of_the_stacks(measure: str) -> None:
    stacks = random_stacks(4)
    lines = [line.rsplit(" ", 1) for line in collapsed_stacks(stacks, measure).splitlines()]
    assert sum(int(size) for _, size in lines) == sum(row[measure] for _, row in stacks.rows())
    assert len({stack for stack, _ in lines}) == len(lines)


def test_frames_run_from_the_outermost_to_the_innermost() -> None:
    frames = [Frame("inner", "/a/x.cpp", 3, "/bin/x"), Frame("outer", "/a/x.cpp", 9, "/bin/x")]
    table = table_of_addresses([0, 0], [0, 0], [frames])
    text = collapsed_stacks(Stacks(table, [owner(2)], {"empty": 7}), "owned")
    assert text == "outer x.cpp:9;inner x.cpp:3 9\n[no live object];[empty] 7\n"


def test_separators_in_names_are_replaced_and_equal_stacks_are_one_line() -> None:
    frames = [[make_frame("a;b\n", "", 0, module)] for module in ("/x/m", "/y/m")]
    table = table_of_addresses([0, 0, 0], [0, 0, 1], frames)
    text = collapsed_stacks(Stacks(table, [owner(1), owner(2)], {}), "objects")
    assert text == "a:b\\n m 10\n"


def test_text_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allocsim.reports.collapsed_stacks.MAX_LENGTH", 10)
    table = table_of_addresses([0, 0], [0, 0], [[Frame("a_long_name", "/a/x.cpp", 3)]])
    with pytest.raises(InputError, match="use --pprof, which writes each name once"):
        collapsed_stacks(Stacks(table, [owner(1)], {}), "owned")
