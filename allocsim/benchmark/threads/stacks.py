"""Stacks for OS threads, mapped and touched before memory is measured.

Otherwise the C library would map a stack for each thread and keep some of the stacks. These would
count as memory of the library that is measured. A replay that measures time does not use these
stacks (see `supervisor`).
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

from allocsim.core.memory import OS_PAGE, Reservation
from allocsim.errors import EnvironmentLacks

STACK = 256 << 10
"""Bytes of a stack, which also holds the thread-local storage of libraries (16 KiB or more)."""

TOUCHED = 48 << 10
"""Bytes that are touched at the top of a stack: more than the driver and the libraries use."""

ATTRIBUTE_BYTES = 64
"""Bytes reserved for a pthread_attr_t: it has 56 bytes on x86-64, 64 on arm64."""


class Stacks:
    """Stacks, and the attributes (pthread_attr_t) to create threads on them."""

    def __init__(self, count: int) -> None:
        """Map `count` stacks; raise EnvironmentLacks if the C library does not accept them."""
        self._memory = Reservation(count * STACK)
        self._memory.mapping.madvise(mmap.MADV_NOHUGEPAGE)
        bytes_: Any = self._memory.table(np.uint8, (count, STACK))
        bytes_[:, -TOUCHED::OS_PAGE] = 0
        self.attributes = Reservation(count * ATTRIBUTE_BYTES)
        for number in range(count):
            self._set_attributes(number)

    def _set_attributes(self, number: int) -> None:
        """Write the pthread_attr_t of a stack; raise EnvironmentLacks on failure."""
        library = ctypes.CDLL(None)
        attributes = ctypes.c_void_p(self.attributes.address + ATTRIBUTE_BYTES * number)
        stack = ctypes.c_void_p(self._memory.address + STACK * number)
        library.pthread_attr_init(attributes)
        if library.pthread_attr_setstack(attributes, stack, ctypes.c_size_t(STACK)):
            raise EnvironmentLacks(
                "pthread_attr_setstack failed: the C library does not accept a stack from allocsim"
            )
