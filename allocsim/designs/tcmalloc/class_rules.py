"""The tables of size classes that the library can have, and their source text.

gperftools has no list of classes: SizeMap::Init computes them in a loop. The source text of a table
replaces this loop. The library looks up the class of a size in an index, which has one entry for
every 8 bytes up to 1,024 and one for every 128 bytes above. The size of a class must therefore be a
multiple of 8 and, above 1,024, a multiple of 128. From 16 bytes on, it must also be a multiple of
16, because objects of 16 bytes and more are 16-byte aligned. The grid is the set of all sizes that
a class may have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allocsim.core.class_rules import ClassRules, ClassSpan, decoded
from allocsim.designs.table_parameter import KEY
from allocsim.designs.tcmalloc.size_classes import (
    MAX_SIZE,
    MAX_SMALL_SIZE,
    PAGE,
    SizeClass,
    fitted,
    num_move_size,
    size_map,
)
from allocsim.designs.tcmalloc.span import MAX_CLASSES
from allocsim.text import counted

GROWTH_STEP = 1 << 20
"""Minimum growth of the heap in bytes (kMinSystemAlloc, 128 pages)."""


def classes_of(parameters: Mapping[str, int]) -> tuple[SizeClass, ...]:
    """Return the classes of a heap: the library's, or those of the parameter `size_classes`."""
    return size_map(parameters["transfer_num_obj"], decoded(parameters[KEY]))


def _span_of(size: int, parameters: Mapping[str, int]) -> ClassSpan:
    """Return the span of a class."""
    info = fitted(size, num_move_size(size, parameters["transfer_num_obj"]))
    return ClassSpan(info.pages, info.objects, info.batch)


def _own(parameters: Mapping[str, int]) -> list[int]:
    """Return the sizes of the library's classes."""
    return [info.object_size for info in size_map(parameters["transfer_num_obj"])]


def _source(sizes: Sequence[int], parameters: Mapping[str, int]) -> str:
    """Return C++ for SizeMap::Init, in place of the loop over `size`."""
    spans = [_span_of(size, parameters) for size in sizes]
    rows = [
        f"    {{{size}, {span.pages}}},  // {counted(span.objects, 'object')}, batch {span.batch}"
        for size, span in zip(sizes, spans, strict=True)
    ]
    return "\n".join(
        [
            "  // Replaces the loop over `size` in SizeMap::Init (src/common.cc, gperftools 2.10).",
            f"  // {len(sizes)} size classes: object size, pages of a span ({PAGE} bytes each).",
            "  static const struct { size_t size, pages; } kClasses[] = {",
            *rows,
            "  };",
            "  int sc = 1;",
            "  for (const auto& found : kClasses) {",
            "    class_to_size_[sc] = found.size;",
            "    class_to_pages_[sc++] = found.pages;",
            "  }",
            "  num_size_classes = sc;",
        ]
    )


RULES = ClassRules(
    grid=(
        8,
        *range(16, MAX_SMALL_SIZE, 16),
        *range(MAX_SMALL_SIZE, MAX_SIZE + 1, 128),
    ),
    grid_text="8, multiples of 16 up to 1,024, or multiples of 128 up to 262,144",
    required={MAX_SIZE: "every request of up to 256 KiB (kMaxSize) needs a class"},
    max_classes=MAX_CLASSES - 1,
    page_size=PAGE,
    growth_step=GROWTH_STEP,
    span_of=_span_of,
    own=_own,
    source=_source,
    max_request=MAX_SIZE,
    aligned=True,
)
