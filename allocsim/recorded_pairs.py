"""Pairs (event, number), which the description of a trace may store under a key.

For example, the pairs under "times" give the times of some events.

The description in a file may contain anything, so pairs that do not have the expected form are
ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

MAX_PAIRS = 1 << 14
"""Maximum number of pairs under a key."""

Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Pairs = Annotated[list[tuple[Number, Number]], msgspec.Meta(max_length=MAX_PAIRS)]


def recorded_pairs(description: Mapping[str, Any], key: str) -> list[tuple[int, int]] | None:
    """Return the pairs (position of an event in the trace, number) under a key, as stored.

    `description` is that of the trace. The result is None if there are no pairs or if they are not
    valid. It is also None if the trace is only a part of a recording, because the positions are
    those in the whole recording.
    """
    source = description.get("source", description)
    if not isinstance(source, Mapping) or key not in source or "piece" in source:
        return None
    try:
        return msgspec.convert(source[key], Pairs)
    except msgspec.ValidationError:
        return None
