"""A lock that is acquired before every fork, so that no other thread holds it in the child.

After os.fork(), only the calling thread exists in the child. If another thread held a lock during
the fork, the lock would stay held in the child, and the data that it protects could be
inconsistent. Compiled kernels run without the GIL, so a fork can happen in the middle of a malloc.
Therefore a fork first acquires every lock that `fork_lock` has made, and afterwards releases all of
them in both processes. The lock of Numba's compiler is treated in the same way: otherwise a child
that is forked while another thread compiles could not compile anything.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from numba.core.compiler_lock import global_compiler_lock

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_registry = threading.RLock()
"""Protects `_locks`, and lets only one thread fork at a time."""

_acquired: list[Any] = []
"""Locks acquired by the current fork."""


def fork_lock() -> Any:
    """Return a new re-entrant lock that no other thread holds when a process forks."""
    lock = threading.RLock()
    with _registry:
        _locks.add(lock)
    return lock


def _acquire_all() -> None:
    """Acquire all locks before the fork.

    This cannot deadlock. A thread that holds a heap's lock waits for no other lock except the
    compiler's. That lock is acquired last, and a thread that holds it waits for no heap's lock.
    """
    _registry.acquire()
    for lock in [*_locks, global_compiler_lock]:
        lock.acquire()
        _acquired.append(lock)


def _release_all() -> None:
    """Release all locks after the fork, in the parent and in the child."""
    while _acquired:
        _acquired.pop().release()
    _registry.release()


os.register_at_fork(before=_acquire_all, after_in_parent=_release_all, after_in_child=_release_all)
