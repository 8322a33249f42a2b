"""Profiles for pprof, read by an independent decoder."""

import random

import pytest

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.explanation.owners import Owner
from allocsim.explanation.stacks import Stacks
from allocsim.reports.pprof import pprof_profile
from allocsim.reports.protobuf import content, integer, integers, varint
from tests.reports import profiles
from tests.reports.explanations import explanation_of, random_stacks

HOSTILE = make_frame("a;b\n<script>\x00", "/src/\x1b[31mx.c", 7, b"/bin/\xff")


@pytest.mark.parametrize("seed", range(3))
def test_profile_has_all_stacks_with_all_figures(seed: int) -> None:
    stacks = random_stacks(seed)
    found = profiles.Profile(pprof_profile(explanation_of(stacks), "x.allocsim"))
    assert found.samples == [
        ([(f.function, f.file, f.line, f.module) for f in frames], [*figures.values()])
        for frames, figures in stacks.rows()
    ]
    assert found.types == [
        ("objects", "count"), ("live", "bytes"), ("rounding", "bytes"), ("pinned", "bytes"),
        ("owned", "bytes"),
    ]  # fmt: skip
    assert found.default == "pinned"
    assert found.comment == "x.allocsim on lib:glibc, at worst (event 7)"


def test_names_from_a_recording_are_escaped() -> None:
    table = table_of_addresses([0, 0], [0, 0], [[HOSTILE]])
    owner = Owner("stack", "1", 1, 2, 3, 4, 9, 0, 0, 0)
    stacks = Stacks(table, [owner], {})
    found = profiles.Profile(pprof_profile(explanation_of(stacks), "bad\udcffname\n"))
    (((frame,), values),) = found.samples
    assert frame == ("a;b\\n<script>\\x00", "/src/\\x1b[31mx.c", 7, "/bin/�")
    assert values == [1, 2, 3, 4, 9]
    assert found.comment.startswith("bad\\udcffname\\n on lib:glibc")


def test_equal_explanations_give_equal_bytes() -> None:
    assert pprof_profile(explanation_of(random_stacks(1)), "x") == pprof_profile(
        explanation_of(random_stacks(1)), "x"
    )


def test_heap_without_objects_has_a_profile() -> None:
    stacks = Stacks(table_of_addresses([0, 0], [0, 0], [[Frame("f")]]), [], {"start": 4096})
    found = profiles.Profile(pprof_profile(explanation_of(stacks), "x"))
    assert [values for _, values in found.samples] == [[0, 0, 0, 0, 4096]]


def test_integers_of_any_length_are_read_back() -> None:
    rng = random.Random(1)
    values = [0, 1, 127, 128, (1 << 64) - 1, *(rng.randrange(1 << 64) for _ in range(50))]
    assert profiles.integers(b"".join(map(varint, values))) == values
    message = integer(1, 300) + integer(2, 0) + content(3, b"text") + integers(4, values)
    found = profiles.fields(message)
    assert (found[1], found[3]) == ([300], [b"text"])
    assert 2 not in found
    assert profiles.integers(found[4][0]) == values
