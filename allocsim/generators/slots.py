"""Slots that are filled and emptied: the mechanics of the random workloads.

Below `random` and `server`, which choose slots and sizes. A slot is empty or holds one object; a
step on it frees the object, or allocates one. Its one rule: the number of the slot is the number
of the object.
"""

from __future__ import annotations

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import Op


@kernel
def toggle(filled: np.ndarray, slots: np.ndarray, sizes: np.ndarray, events: np.recarray) -> None:
    """Step i is on slots[i]: free what it holds, or allocate sizes[i] bytes; into events[i].

    `filled` (uint8 by slot) is kept up to date. Threads are left as they are.
    """
    for step in range(len(slots)):
        slot = slots[step]
        event = events[step]
        event.object = slot
        if filled[slot]:
            event.op = Op.FREE
            event.request = 0
        else:
            event.op = Op.MALLOC
            event.request = sizes[step]
        filled[slot] = 1 - filled[slot]
