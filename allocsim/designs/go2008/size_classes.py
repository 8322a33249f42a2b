"""The size classes of Go's first malloc: closed forms in both directions."""

from __future__ import annotations

from allocsim.core.jit import kernel

GO2008_CLASSES = 168
"""Classes of the first Go malloc: 8 to 120 by 8, 128 to 240 by 16, 256 to 480 by 32, 512 to 960
by 64, 1024 to 1920 by 128, 2048 to 32768 by 256."""


@kernel
def go2008_class_of(request: int) -> int:
    """The class of `request` bytes, 0 to 167; 0 or less is class 0. Valid up to 32768.

    Steps grow with the size as 2**step, from 8 below 128 bytes to 256 above 2 KiB, with eight
    classes to each doubling between: the comparisons count the doublings, without a branch.
    """
    last = max(request - 1, 0)
    step = 3 + (last >= 128) + (last >= 256) + (last >= 512) + (last >= 1024) + (last >= 2048)
    return (last >> step) + 8 * (step - 3)


@kernel
def go2008_object_size(size_class: int) -> int:
    """Bytes of an object of `size_class`, 0 to 167: the inverse of go2008_class_of."""
    step = 3 + min(max(size_class - 8, 0) >> 3, 5)
    return (size_class + 1 - 8 * (step - 3)) << step
