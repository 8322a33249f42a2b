"""The records of a go2008 heap: one structured dtype each, as C structs would be."""

from __future__ import annotations

import numpy as np

SPAN = np.dtype(
    [
        ("address", np.int64),  # first byte; a multiple of the page size
        ("pages", np.int64),  # length in pages, >= 1
        ("object_size", np.int64),  # bytes of each object; 0 unless the span holds small objects
        ("reciprocal", np.int64),  # ceil(2**RECIPROCAL_SHIFT / object_size): divides by multiplying
        ("objects", np.int32),  # floor(bytes / object_size); the rest of the span is its tail
        ("size_class", np.int32),  # LARGE, or the class of its objects
        ("next", np.uint32),  # next span on the same list; 0 ends it
        ("state", np.int32),  # a SpanState
    ],
    align=True,
)


RECIPROCAL_SHIFT = 40
"""offset * reciprocal >> 40 is exactly offset // object_size while offset * object_size < 2**40;
chunks end at 2**20 bytes and small objects at 2**15."""


PAGE_LIST = np.dtype(
    [
        ("head", np.uint32),  # first free span of this length; 0 when empty
        ("spans", np.uint32),  # spans on the list
    ],
    align=True,
)


OBJECT_LIST = np.dtype(
    [
        ("head", np.int64),  # newest object that was given back; its first word is the next one's
        ("fresh", np.int64),  # address of the first object of the chunk that nobody has had yet
        ("end", np.int64),  # address behind the last such object; equals fresh when there is none
        ("length", np.int64),  # free objects: those given back, then those that are fresh
    ],
    align=True,
)


SIZE_CLASS = np.dtype(
    [
        ("object_size", np.int64),  # bytes of an object of this class
        ("in_use", np.int64),  # objects handed out and not freed
        ("cached", np.int64),  # objects on the lists of all threads together
        ("spans", np.int64),  # spans that were carved into this class
        # in_use + cached = sum of `objects` over the class's spans
    ],
    align=True,
)
