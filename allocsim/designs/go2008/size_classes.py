"""Size classes of go2008: closed forms in both directions (sizetoclass, classtosize)."""

from __future__ import annotations

from allocsim.core.jit import kernel

LARGE_SIZE = 32768
"""Requests of this many bytes or more are large (LargeSize). The objects of the last class have
exactly this many bytes, but a request of this many bytes is large."""

CLASS_COUNT = 168
"""Number of classes (SmallFreeClasses). Their sizes in bytes: 8 to 120 (step 8), 128 to 240 (step
16), 256 to 480 (step 32), 512 to 960 (step 64), 1024 to 1920 (step 128), 2048 to 32768 (step
256)."""


@kernel
def size_to_class(request: int) -> int:
    """Return the class of `request` bytes, 0 to 167. A request is at most 32768 bytes.

    A request of 0 or less has class 0. Classes are 2**step bytes apart. Below 128 bytes, this
    distance is 8 bytes; above 2 KiB, it is 256. In between, it grows so that each doubling of the
    size has eight classes. Go's sizetoclass branches on the range. Adding up comparisons instead
    gives the same classes without a branch that the CPU could mispredict.
    """
    last = max(request - 1, 0)
    step = 3 + (last >= 128) + (last >= 256) + (last >= 512) + (last >= 1024) + (last >= 2048)
    return (last >> step) + 8 * (step - 3)


@kernel
def class_to_size(size_class: int) -> int:
    """Return the bytes of an object of `size_class`, 0 to 167: the inverse of size_to_class."""
    step = 3 + min(max(size_class - 8, 0) >> 3, 5)
    return (size_class + 1 - 8 * (step - 3)) << step
