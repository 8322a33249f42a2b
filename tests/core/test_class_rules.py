"""Rules of tables of size classes, on the designs whose tables can be replaced."""

import pytest

from allocsim.core.class_rules import ClassRules, decoded, encoded
from allocsim.designs import find_design
from allocsim.errors import InputError


@pytest.fixture
def tcmalloc_rules() -> ClassRules:
    """The rules of tcmalloc."""
    return find_design("tcmalloc").require_class_rules()


@pytest.fixture
def go_rules() -> ClassRules:
    """The rules of go."""
    return find_design("go").require_class_rules()


@pytest.mark.parametrize("sizes", [(8,), (8, 16, 262144), tuple(range(8, 4096, 8))])
def test_encoded_table_gives_the_same_sizes_again(sizes: tuple[int, ...]) -> None:
    assert decoded(encoded(sizes)) == sizes


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((8, 24, 262144), "no class can have 24 bytes; expected 8, multiples of 16 up to 1,024"),
        ((8, 1040, 262144), "no class can have 1,040 bytes"),
        ((8, 8, 262144), "class sizes must ascend, but 8 follows 8"),
        ((32, 16, 262144), "class sizes must ascend, but 16 follows 32"),
        ((8, 16), "there must be a class of 262,144 bytes: every request of up to 256 KiB"),
        ((16, 48, 262144), r"memalign\(32, 32\) would get a misaligned object of 48 bytes"),
        ((8192, 20480, 262144), r"memalign\(8192, 16384\) would get a misaligned object of 20,480"),
        ((4096, 9216, 262144), r"memalign\(8192, 8192\) would get a misaligned object of 9,216"),
    ],
)
def test_each_rule_of_tcmalloc_has_an_error(
    tcmalloc_rules: ClassRules, sizes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tcmalloc_rules.require_valid(sizes)


@pytest.mark.parametrize("sizes", [(262144,), (8192, 12288, 262144), (8192, 9216, 262144)])
def test_class_of_whole_pages_may_follow_any_class(
    tcmalloc_rules: ClassRules, sizes: tuple[int, ...]
) -> None:
    tcmalloc_rules.require_valid(sizes)


def test_tcmalloc_has_room_for_127_classes(tcmalloc_rules: ClassRules) -> None:
    grid = tcmalloc_rules.grid
    tcmalloc_rules.require_valid((*grid[:126], grid[-1]))
    with pytest.raises(InputError, match="128 classes; expected at most 127"):
        tcmalloc_rules.require_valid((*grid[:127], grid[-1]))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((16, 512, 32768), "there must be a class of 8 bytes: the class of 16 bytes"),
        ((8, 512, 32768), "there must be a class of 16 bytes: it holds tiny objects"),
        ((8, 16, 32768), "there must be a class of 512 bytes: objects above 512 bytes"),
        ((8, 16, 512), "there must be a class of 32,768 bytes"),
        ((8, 16, 40, 512, 32768), "no class can have 40 bytes"),
    ],
)
def test_each_rule_of_go_has_an_error(
    go_rules: ClassRules, sizes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        go_rules.require_valid(sizes)


def test_go_needs_no_alignment_because_it_searches_for_an_aligned_class(
    go_rules: ClassRules,
) -> None:
    go_rules.require_valid((8, 16, 48, 512, 32768))


@pytest.mark.parametrize(("smaller", "size"), [(0, 48), (16, 48), (31, 48), (4096, 9216)])
def test_misaligned_request_is_above_the_class_before(
    tcmalloc_rules: ClassRules, smaller: int, size: int
) -> None:
    request = tcmalloc_rules.misaligned(smaller, size)
    assert request is not None
    assert smaller < request < size
    alignment = min(request & -request, 8192)
    assert size % alignment
    assert tcmalloc_rules.misaligned(request, size) is None
