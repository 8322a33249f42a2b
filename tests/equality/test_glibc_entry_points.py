"""The functions equivalent to a memalign call, and the parser of malloc_info's XML output."""

import pytest

from tests.equality.glibc_entry_points import functions_for, parse_malloc_info

XML = """<malloc version="1">
<heap nr="0">
<sizes>
  <size from="33" to="48" total="96" count="2"/>
  <unsorted from="65" to="65" total="65" count="1"/>
</sizes>
<total type="fast" count="2" size="96"/>
<total type="rest" count="3" size="132"/>
<system type="current" size="135168"/>
<system type="max" size="139264"/>
<aspace type="total" size="135168"/>
<aspace type="mprotect" size="135168"/>
</heap>
<heap nr="1">
<total type="fast" count="0" size="0"/>
<aspace type="subheaps" size="2"/>
</heap>
<total type="fast" count="2" size="96"/>
<system type="current" size="135168"/>
</malloc>
"""


@pytest.mark.parametrize(
    ("alignment", "size", "others"),
    [
        (4, 100, []),
        (64, 4096, ["posix_memalign"]),
        (4096, 100, ["posix_memalign", "valloc"]),
        (4096, 0, ["posix_memalign", "valloc"]),
        (4096, 8192, ["posix_memalign", "valloc", "pvalloc"]),
    ],
)
def test_function_must_give_what_memalign_does(
    alignment: int, size: int, others: list[str]
) -> None:
    assert functions_for(alignment, size) == ["memalign", "aligned_alloc", *others]


def test_counters_of_malloc_info_are_those_of_the_arenas() -> None:
    assert parse_malloc_info(XML) == {
        "heap0.fast.count": 2,
        "heap0.fast.size": 96,
        "heap0.rest.count": 3,
        "heap0.rest.size": 132,
        "heap0.system.current": 135168,
        "heap0.system.max": 139264,
        "heap0.aspace.total": 135168,
        "heap0.aspace.mprotect": 135168,
        "heap1.fast.count": 0,
        "heap1.fast.size": 0,
        "heap1.aspace.subheaps": 2,
    }
