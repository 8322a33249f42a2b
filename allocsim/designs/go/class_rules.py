"""The tables of size classes that Go can have, and their source text.

Go looks up the class of a size in an index, which has one entry for every 8 bytes below 1,024 and
one for every 128 bytes above. The size of a class must therefore be a multiple of 8 and, above
1,024, a multiple of 128. From 32 bytes on, it must also be a multiple of 16, as in Go's table. The
grid is the set of all sizes that a class may have. If the number of classes changes, NumSizeClasses
(68 in Go) must change too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allocsim.core.class_rules import ClassRules, ClassSpan, decoded
from allocsim.designs.go.size_classes import (
    CLASSES,
    MAX_CLASS_SIZE,
    MAX_MARKED,
    MAX_SMALL,
    PAGE,
    SMALL_SIZE_MAX,
    TINY_SIZE,
    SizeClass,
    fitted,
    objects_of,
)
from allocsim.designs.table_parameter import KEY

MAX_CLASSES = 127
"""Maximum number of classes: a span class has 8 bits, 7 for the class and one for noscan."""

REQUIRED = {
    8: "the class of 16 bytes must be number 2 (tinySpanClass), and 8 is the only smaller size",
    TINY_SIZE: "it holds tiny objects (tinySpanClass)",
    MAX_MARKED: "objects above 512 bytes have a header; no class may mix them with smaller ones",
    MAX_CLASS_SIZE: "requests above it are large objects (MaxSmallSize)",
}
"""Sizes that must be classes, each with the reason."""


def classes_of(parameters: Mapping[str, int]) -> Sequence[SizeClass]:
    """Return the classes of a heap: Go's own, or those that the parameter `size_classes` lists."""
    sizes = decoded(parameters[KEY])
    return [fitted(size) for size in sizes] if sizes else CLASSES


def _span_of(size: int, parameters: Mapping[str, int]) -> ClassSpan:
    """Return the span of the class of `size`."""
    info = fitted(size)
    return ClassSpan(info.pages, objects_of(info, bool(parameters["greenteagc"])), 1)


def _source(sizes: Sequence[int], parameters: Mapping[str, int]) -> str:
    """Return Go source for makeClasses, in place of its loops over sizes."""
    rows = [f"\t\t{{{size}, {fitted(size).pages}}}," for size in sizes]
    return "\n".join(
        [
            "\t// Replaces both loops over sizes in makeClasses (mksizeclasses.go, Go 1.27).",
            f"\t// {len(sizes)} size classes: object size, pages of a span ({PAGE} bytes each).",
            f"\t// The check of the number of classes must expect {len(sizes) + 1}.",
            "\tfor _, c := range []struct{ size, npages int }{",
            *rows,
            "\t} {",
            "\t\tclasses = append(classes, class{size: c.size, npages: c.npages})",
            "\t}",
        ]
    )


RULES = ClassRules(
    grid=(
        8,
        16,
        24,
        *range(32, SMALL_SIZE_MAX, 16),
        *range(SMALL_SIZE_MAX, MAX_CLASS_SIZE + 1, 128),
    ),
    grid_text="8, 16, 24, multiples of 16 up to 1,024, or multiples of 128 up to 32,768",
    required=REQUIRED,
    max_classes=MAX_CLASSES,
    page_size=PAGE,
    growth_step=PAGE,
    span_of=_span_of,
    own=lambda _: [info.object_size for info in CLASSES],
    source=_source,
    max_request=MAX_SMALL,
)
