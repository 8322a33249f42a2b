"""Distributions of the sizes of a workload's objects.

In a job file a distribution is a table: { distribution = "uniform", ... }. Sizes are drawn for many
events at once. A size is computed from one word of random bits, with integer arithmetic only, so
that sizes are the same on every machine.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.errors import InputError
from allocsim.generators import pick
from allocsim.quantities import Size

MAX_SIZE = 1 << 32
"""Maximum size, 4 GiB: its product with 31 random bits stays below 2**63."""


class LogUniform(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
    tag_field="distribution", tag="log-uniform",
):  # fmt: skip
    """Small sizes are likelier than large ones, as in testrandom, a test of Go's first malloc.

    `max` is halved k times, and a size below the result is drawn uniformly. k is drawn uniformly
    too, from 0 to ceil(log2(max)) - 1. With a `max` of 1 MiB, a size is a random number of 31 bits,
    shifted right by 11 + k bits. Sizes are 0 to max - 1.
    """

    max: Size = Size(1 << 20)

    def __post_init__(self) -> None:
        _require(1 <= self.max <= MAX_SIZE, f"max = {self.max}: expected 1 to 4GiB")

    def draw(self, bits: Any) -> Any:
        """Return one size for each word of `bits`."""
        doublings = max(int(self.max) - 1, 1).bit_length()
        shift = pick(bits, doublings) + 31
        return (bits >> np.uint64(33)).astype(np.int64) * int(self.max) >> shift


class Uniform(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
    tag_field="distribution", tag="uniform",
):  # fmt: skip
    """Each size from `min` to `max` is equally likely."""

    min: Size = Size(1)
    max: Size = Size(1 << 20)

    def __post_init__(self) -> None:
        _require(
            0 <= self.min <= self.max < MAX_SIZE,
            f"min = {self.min}, max = {self.max}: expected 0 <= min <= max < 4GiB",
        )

    def draw(self, bits: Any) -> Any:
        """Return one size for each word of `bits`."""
        return pick(bits, int(self.max) - int(self.min) + 1) + int(self.min)


class Fixed(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
    tag_field="distribution", tag="fixed",
):  # fmt: skip
    """The size of every object is `bytes`."""

    bytes: Size

    def __post_init__(self) -> None:
        _require(self.bytes >= 0, f"bytes = {self.bytes}: expected 0 or more")

    def draw(self, bits: Any) -> Any:
        """Return the same size for each word of `bits`."""
        return np.full(len(bits), int(self.bytes), np.int64)


SizeLaw = Annotated[LogUniform | Uniform | Fixed, msgspec.Meta(description="a size distribution")]


def _require(holds: bool, message: str) -> None:
    """Raise an InputError with `message` (what was found, what was expected) unless `holds`."""
    if not holds:
        raise InputError(message)
