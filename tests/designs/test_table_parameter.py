"""The parameter `size_classes`: tables from sizes and from files, and heaps that use them."""

import json
import os
from pathlib import Path

import numba
import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.designs import find_design
from allocsim.designs.table_parameter import KEY, table_json
from allocsim.errors import InputError
from tests.conftest import RESERVE
from tests.random_streams import calls, length, require_sound

TABLES = {
    "tcmalloc": (16, 32, 64, 128, 256, 1024, 4096, 8192, 262144),
    "go": (8, 16, 32, 48, 128, 512, 1024, 4096, 32768),
}
"""A short table for each design."""

each_design = pytest.mark.parametrize("design", TABLES)


def text_of(design: str) -> str:
    return ",".join(map(str, TABLES[design]))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A path for a table."""
    return tmp_path / "table.json"


@each_design
def test_own_table_is_the_default(design: str) -> None:
    checked = find_design(design).checked
    assert checked({})[KEY] == checked({KEY: "own"})[KEY] == 0


@each_design
def test_table_has_the_given_sizes_and_maps_every_size(design: str) -> None:
    found = find_design(design)
    table = found.table(found.checked({KEY: text_of(design)}))
    assert table.sizes() == [*TABLES[design]]
    assert list(table.mismatches()) == []


@each_design
def test_table_is_shown_as_it_can_be_given(design: str) -> None:
    found = find_design(design)
    values = found.checked({KEY: TABLES[design]})
    assert found.shown(values)[KEY] == text_of(design)
    assert found.checked(found.shown(values)) == values


@each_design
def test_file_has_the_same_table_as_its_sizes(design: str, saved: Path) -> None:
    rows = [{"size": size} for size in TABLES[design]]
    saved.write_text(json.dumps(table_json(design, rows)))
    checked = find_design(design).checked
    assert checked({KEY: str(saved)}) == checked({KEY: text_of(design)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("{}", "not a table of size classes: 'classes' is missing"),
        ('{"classes": [{"bytes": 8}]}', "not a table of size classes: 'classes.0.size' is missing"),
        ('{"schema": "allocsim/size-class-table/2", "classes": []}', "its schema is .*/2'; expect"),
        ('{"classes": [{"size": 8.5}]}', "'classes.0.size' is 8.5; expected an integer"),
        ('{"classes": [{"size": true}]}', "'classes.0.size' is True; expected an integer"),
        ('{"classes": []}', "there must be a class of 262,144 bytes"),
        ('{"classes": [{"size": 9}]}', "no class can have 9 bytes"),
    ],
)
def test_broken_file_has_an_error(saved: Path, text: str, message: str) -> None:
    saved.write_text(text)
    with pytest.raises(InputError, match=message):
        find_design("tcmalloc").checked({KEY: str(saved)})


def test_missing_file_has_an_error() -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: No such file"):
        find_design("go").checked({KEY: "nowhere.json"})


@pytest.mark.parametrize(
    ("design", "why"),
    [
        ("go2008", "a formula maps sizes to classes"),
        ("glibc", "the design has no table of size classes"),
    ],
)
def test_other_designs_say_why_they_take_no_table(design: str, why: str) -> None:
    with pytest.raises(InputError, match=f"size classes of {design} cannot be replaced: {why}"):
        find_design(design).checked({KEY: "8,16"})


@each_design
def test_objects_get_the_sizes_of_the_given_table(design: str) -> None:
    with Heap(design, reserve=RESERVE, size_classes=text_of(design)) as heap:
        found = [heap.usable_size(heap.malloc(size)) for size in (16, 17, 100, 500, 3000)]
        assert found == [16, 32, 128, {"tcmalloc": 1024, "go": 512}[design], 4096]
        assert heap.check() == []


@each_design
def test_memalign_is_aligned_under_a_given_table(design: str) -> None:
    with Heap(design, reserve=RESERVE, size_classes=text_of(design)) as heap:
        for alignment in (16, 32, 64, 512, 4096, 8192):
            for size in (1, alignment - 1, alignment + 1, 3 * alignment):
                assert heap.memalign(alignment, size) % alignment == 0


@pytest.mark.slow
@each_design
@pytest.mark.parametrize("seed", [1] if PURE else [1, 2])
def test_random_events_keep_the_heap_valid_under_another_table(design: str, seed: int) -> None:
    require_sound(design, {KEY: text_of(design)}, calls(seed, length(20_000)))


@pytest.mark.skipif(PURE, reason="nothing is compiled")
@each_design
def test_kernels_are_not_compiled_again_for_another_table(design: str) -> None:
    with (
        Heap(design, reserve=RESERVE) as own,
        Heap(design, reserve=RESERVE, size_classes=text_of(design)) as other,
    ):
        assert numba.typeof(own.state) == numba.typeof(other.state)


def test_tcmallocs_own_sizes_as_a_table_are_its_own_table() -> None:
    found = find_design("tcmalloc")
    own = found.require_class_rules().own(found.checked({}))
    assert found.table(found.checked({KEY: own})).rows() == found.table(found.checked({})).rows()


@each_design
def test_spans_of_every_candidate_waste_at_most_an_eighth(design: str) -> None:
    found = find_design(design)
    rules, values = found.require_class_rules(), found.checked({})
    for size in rules.grid:
        span = rules.span_of(size, values)
        length = span.pages * rules.page_size
        marks = 128 if design == "go" and 16 <= size <= 512 else 0
        assert span.objects == (length - marks) // size
        assert length % size <= length // 8


def test_go_finds_the_object_of_an_address_for_every_candidate() -> None:
    """An offset becomes an object's index by a multiplication (see records.MCentral.div_mul)."""
    found = find_design("go")
    rules, values = found.require_class_rules(), found.checked({})
    for size in rules.grid:
        span, factor = rules.span_of(size, values), -(-(1 << 32) // size)
        for index in (1, span.objects - 1, span.objects):
            for offset in (index * size - 1, index * size):
                if 0 <= offset < span.pages * rules.page_size:
                    assert offset * factor >> 32 == offset // size, (size, offset)


def test_source_text_lists_every_class() -> None:
    for design, sizes in TABLES.items():
        found = find_design(design)
        text = found.require_class_rules().source(sizes, found.checked({}))
        rows = [line for line in text.splitlines() if line.strip().startswith("{")]
        assert [int(row.strip(" \t{").split(",")[0]) for row in rows] == [*sizes]


@each_design
def test_wrong_size_of_a_list_is_named(design: str) -> None:
    with pytest.raises(InputError, match="size_classes: '' is not a size in bytes"):
        find_design(design).checked({KEY: "8,,16"})


@each_design
@pytest.mark.parametrize("value", ["x" * 5000, "9" * 5000, "8,," + "1," * 3000])
def test_value_too_long_for_a_file_name_is_an_input_error(design: str, value: str) -> None:
    with pytest.raises(InputError):
        find_design(design).checked({KEY: value})


@each_design
def test_pipe_is_refused_without_waiting_for_a_writer(design: str, saved: Path) -> None:
    os.mkfifo(saved)
    with pytest.raises(InputError, match="is not a regular file"):
        find_design(design).checked({KEY: str(saved)})


@each_design
def test_integer_with_too_many_digits_is_an_error_of_the_file(design: str, saved: Path) -> None:
    saved.write_text("9" * 5000)
    with pytest.raises(InputError, match=r"an integer has too many digits$"):
        find_design(design).checked({KEY: str(saved)})
