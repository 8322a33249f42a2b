"""The Python face of a design: a heap that owns its memory and speaks in errors, not statuses.

Between the designs and whoever uses them: the driver, a test, a student in a notebook. It keeps
what an allocator does not, the size that was asked for each object, so that it can show live
bytes and catch a second free of the same object. Its one rule: one thread is inside at a time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from types import TracebackType

import numpy as np

from allocsim.core import operations
from allocsim.core.check import violations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.records import SAMPLE, HeapState
from allocsim.designs import DEFAULT, CacheUse, ClassUse, find_design
from allocsim.errors import DoubleFree, HeapFrozen, InputError, InvalidFree, OutOfMemory
from allocsim.events import MOST_THREADS
from allocsim.profile import Snapshot

RESERVE = 64 << 30
"""Address space that a heap reserves unless told otherwise; it costs nothing until touched."""

REASONS = {
    Status.UNKNOWN_POINTER: "it lies in no span in use: it was never allocated, or freed already",
    Status.NOT_SPAN_START: "it lies inside a large object",
    Status.NOT_OBJECT_START: "it lies inside a small object, or behind the last one of its span",
}


class Heap:
    """An allocator over real memory: `with Heap(design="go2008") as heap: heap.malloc(100)`.

    Several Python threads may use one heap. Each gets a cache of its own at its first call, and a
    lock is held during every call. When a thread ends, the design is told: go2008 does nothing,
    so the free objects of that thread's cache stay there, and no other thread will get them.
    """

    def __init__(
        self, design: str = DEFAULT, *, reserve: int = RESERVE, **parameters: int | str
    ) -> None:
        """An empty heap; `parameters` are those of the design. `reserve` bounds the heap, bytes."""
        if not 1 << 20 <= reserve <= 1 << 45:
            raise InputError(f"a reservation of {reserve} bytes: expected 1 MiB to 32 TiB")
        self.design = find_design(design)
        self.parameters = self.design.checked(parameters)
        self.memory = Reservation(reserve, *self.design.placement(self.parameters))
        self._state: HeapState = self.design.new(self.memory, MOST_THREADS, self.parameters)
        self._requested: dict[int, int] = {}
        self._stacks: dict[int, int] = {}
        self._lock = threading.RLock()
        self._local = threading.local()
        self._threads = 0

    @property
    def state(self) -> HeapState:
        """The records of the design; InputError when the heap is closed."""
        if self._state is None:
            raise InputError("this heap is closed")
        return self._state

    def malloc(self, size: int) -> int:
        """The address of a fresh object of at least `size` bytes."""
        return self._allocate(
            size, lambda thread, room: operations.malloc(self.state, thread, room)
        )

    def calloc(self, count: int, size: int) -> int:
        """The address of a fresh object for `count` elements of `size` bytes, all zeros."""
        if count < 0 or size < 0:
            raise ValueError(f"calloc({count}, {size}): neither can be negative")
        return self._allocate(
            count * size, lambda thread, room: operations.calloc(self.state, thread, room)
        )

    def memalign(self, alignment: int, size: int) -> int:
        """The address of a fresh object, a multiple of `alignment`, which is a power of two."""
        if alignment < 1 or alignment & (alignment - 1):
            raise ValueError(f"an alignment of {alignment}: expected a power of two")
        _require_possible(alignment)
        return self._allocate(
            size, lambda thread, room: operations.memalign(self.state, thread, alignment, room)
        )

    def realloc(self, address: int, size: int) -> int:
        """Resize an object and keep its contents; its address now. C's rules for 0 hold:

        realloc(0, n) is malloc(n), and realloc(p, 0) frees p and gives 0.
        """
        if address == 0:
            return self.malloc(size)
        if size == 0:
            self.free(address)
            return 0
        with self._lock:
            self._require_live(address)
            moved = self._allocate(
                size, lambda thread, room: operations.realloc(self.state, thread, address, room)
            )
            if moved != address:
                del self._requested[address]
            return moved

    def free(self, address: int) -> None:
        """Take an object back; free(0) is nothing. InvalidFree or DoubleFree if it is not live."""
        if address == 0:
            return
        with self._lock:
            self._require_live(address)
            status = operations.free(self.state, self._thread(), address)
            if status != Status.OK:
                raise InvalidFree(address, REASONS[Status(status)])
            del self._requested[address]

    def usable_size(self, address: int) -> int:
        """Bytes that the live object at `address` really has, as much as was asked or more."""
        with self._lock:
            self._require_live(address)
            return operations.usable_size(self.state, address)

    def view(self, address: int) -> memoryview:
        """The bytes that were asked for at `address`, writable: its own memory, no copy."""
        with self._lock:
            if address in self._stacks:
                return self.memory.view(address, self._stacks[address])
            self._require_live(address)
            return self.memory.view(address, self._requested[address])

    def allocate_stack(self, size: int) -> int:
        """The address of a stack segment of whole pages; only free_stack takes it back."""
        size = max(size, 0)
        _require_possible(size)
        with self._lock:
            address = operations.allocate_stack(self.state, size)
            if address == 0:
                raise self._refusal(size)
            self._stacks[address] = size
            return address

    def free_stack(self, address: int) -> None:
        """Take a stack segment back."""
        with self._lock:
            known = address if address in self._stacks else 0
            if operations.free_stack(self.state, known) != Status.OK:
                raise InvalidFree(address, "it is no stack segment in use")
            del self._stacks[address]

    def freeze(self) -> None:
        """From now on the heap may ask the OS for nothing; a call that would raises HeapFrozen."""
        with self._lock:
            operations.freeze(self.state)

    def release(self, length: int) -> int:
        """Give about `length` bytes of free pages back to the OS; how many were given back."""
        with self._lock:
            return operations.release(self.state, max(length, 0))

    def classes(self) -> list[ClassUse]:
        """Use of each size class; empty for a design without classes."""
        with self._lock:
            classes = self.design.classes
            return classes(self.state) if classes else []

    def caches(self) -> list[CacheUse]:
        """The thread caches, where they have a bound."""
        with self._lock:
            caches = self.design.caches
            return caches(self.state) if caches else []

    def native_counters(self) -> dict[str, int]:
        """The statistics of the real library under its own names; empty for other designs."""
        with self._lock:
            counters = self.design.native_counters
            return counters(self.state) if counters else {}

    def thread_done(self) -> None:
        """Tell the design that the calling thread has ended; its next call gets a new cache."""
        with self._lock:
            if hasattr(self._local, "thread"):
                operations.thread_done(self.state, self._local.thread)
                self._local.ended.detach()
                del self._local.thread, self._local.token, self._local.ended

    @property
    def live(self) -> int:
        """Bytes that were asked for through this object and not freed."""
        return sum(self._requested.values()) + sum(self._stacks.values())

    def profile(self) -> Snapshot:
        """Where the bytes of the heap are now."""
        with self._lock:
            sample = np.zeros(1, SAMPLE).view(np.recarray)
            operations.measure(self.state, self.live, sample[0])
            return Snapshot.of(sample[0])

    def resident(self) -> int:
        """Bytes of the heap that the kernel keeps in memory."""
        with self._lock:
            operations.settle(self.state)
            return self.memory.resident(int(self.state.system[0].next) - self.memory.address)

    def check(self) -> list[str]:
        """Every violated invariant as a sentence; an empty list for a sound heap."""
        if not self.design.invariants:
            raise InputError(f"the design '{self.design.name}' has no invariants to check")
        with self._lock:
            return violations(self.state, self.memory, self.design.invariants)

    def close(self) -> None:
        """Give the memory back as soon as no view of it is left."""
        with self._lock:
            self._state = None
            self._requested.clear()
            self._stacks.clear()
            self.memory.close()

    def __enter__(self) -> Heap:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _allocate(self, size: int, call: Callable[[int, int], int]) -> int:
        """Run an allocating call on this thread's cache, and remember what was asked for.

        Less than nothing is nothing, as in the seed.
        """
        size = max(size, 0)
        _require_possible(size)
        with self._lock:
            address = call(self._thread(), size)
            if address == 0:
                raise self._refusal(size)
            self._requested[address] = size
            return address

    def _refusal(self, size: int) -> Exception:
        """The error for a request that was refused."""
        if operations.refusal(self.state) == Status.UNSUPPORTED:
            return InputError(f"the design '{self.design.name}' does not support this request")
        if operations.refusal(self.state) == Status.FROZEN:
            return HeapFrozen(
                f"a request of {size} bytes needs more memory, and the heap is frozen"
            )
        reserved = self.memory.length / 2**30
        return OutOfMemory(
            f"a request of {size} bytes does not fit in the {reserved:g} GiB reserved"
        )

    def _require_live(self, address: int) -> None:
        """InvalidFree, with the design's own reason, unless `address` is a live object."""
        if address in self._requested:
            return
        real = 0 < address < 1 << 63
        status = operations.inspect(self.state, address) if real else Status.UNKNOWN_POINTER
        if status == Status.OK:
            raise DoubleFree(address, "the object is free already")
        raise InvalidFree(address, REASONS[Status(status)])

    def _thread(self) -> int:
        """The number of the calling thread, which gets its cache now if it has none."""
        if not hasattr(self._local, "thread"):
            status = operations.thread_begin(self.state, self._threads)
            if status != Status.OK and self._threads >= MOST_THREADS:
                raise OutOfMemory(f"a heap has caches for {MOST_THREADS} threads, and all are used")
            if status != Status.OK:
                raise self._refusal(0)
            self._local.thread = self._threads
            self._local.token = _Token()
            ended = weakref.finalize(self._local.token, _tell, weakref.ref(self), self._threads)
            ended.atexit = False
            self._local.ended = ended
            self._threads += 1
        thread: int = self._local.thread
        return thread

    def _ended(self, thread: int) -> None:
        """Tell the design that a thread has ended, unless the heap is closed."""
        with self._lock:
            if self._state is not None:
                operations.thread_done(self._state, thread)


def _require_possible(size: int) -> None:
    """OutOfMemory for a size, or an alignment, that no address space can hold."""
    if size >= 1 << 62:
        raise OutOfMemory(f"{size} bytes are more than any heap can hold")


class _Token:
    """Dies with the thread that holds it."""


def _tell(heap: weakref.ref[Heap], thread: int) -> None:
    """Pass the end of a thread on to its heap, which the thread must not keep alive."""
    alive = heap()
    if alive is not None:
        alive._ended(thread)
