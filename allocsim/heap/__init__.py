"""Heap: an allocator over real memory, called from Python.

A Heap adds services to a design (a simulated allocator). It checks arguments, numbers the calling
threads, and raises an exception when a kernel (a compiled function of the design) reports a
failure. It also records the requested size of every object, to count live bytes and to detect
double frees.

Invariant: at most one thread is inside a kernel of a heap at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from allocsim.core import operations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs import DEFAULT, find_design
from allocsim.errors import DoubleFree, InputError, InvalidFree, OutOfMemory, UseAfterFree
from allocsim.events import MAX_THREADS
from allocsim.heap.arguments import (
    checked_alignment,
    checked_count,
    checked_integer,
    checked_length,
    checked_size,
    checked_text,
)
from allocsim.heap.failures import failure, not_live, rejected
from allocsim.heap.fork_lock import fork_lock
from allocsim.heap.live_objects import LiveObjects
from allocsim.heap.measured import Measured
from allocsim.heap.thread_ids import ThreadIds
from allocsim.text import integer_text

RESERVE = 64 << 30
"""Default size of a heap's address range, in bytes. Unused pages of the range use no memory."""


class Heap(Measured):
    """An allocator over real memory: `with Heap(design="go2008") as heap: heap.malloc(100)`.

    Addresses are integers, valid in this process; 0 is the null pointer. An argument that no heap
    could accept (a negative size, a float) raises InputError. Several threads may use one heap:
    each thread has its own cache, and every call holds a lock. When a thread ends, the heap calls
    the design's `thread_done`, which may empty the thread's cache. A child made by os.fork() can go
    on using its copy of the heap. A signal handler or a finaliser that interrupts a call to the
    heap cannot use the same heap: it gets an InputError.
    """

    def __init__(
        self, design: str = DEFAULT, *, reserve: int = RESERVE, **parameters: int | str
    ) -> None:
        """Create a heap of at most `reserve` bytes; `parameters` are the design's parameters."""
        length = checked_integer("Heap", "reserve", reserve)
        if not 1 << 20 <= length <= 1 << 45:
            raise InputError(
                f"Heap: reserve is {integer_text(length)} bytes; expected 1 MiB to 32 TiB"
            )
        self.design = find_design(checked_text("Heap", "design", design))
        self.parameters = self.design.checked(parameters)
        self.memory = Reservation(length, *self.design.placement(self.parameters))
        self._state: HeapState = self.design.new(self.memory, MAX_THREADS, self.parameters)
        self._objects, self._stacks = LiveObjects(), LiveObjects()
        self._mutex = fork_lock()
        self._threads = ThreadIds()
        self._ended: list[int] = []

    @property
    def _lock(self) -> Any:
        """The lock that every call to the heap holds. Raises InputError if the calling thread
        already holds it: a signal handler or a finaliser can interrupt a call of its own thread
        when the heap's records are only partly updated.
        """
        if self._mutex._is_owned():
            raise InputError(
                "this thread has interrupted its own call to this heap; until that call ends, "
                "signal handlers and finalisers can't use the heap"
            )
        return self._mutex

    def malloc(self, size: int) -> int:
        """Return the address of a new object of at least `size` bytes."""
        return self._allocate(
            checked_size("malloc", size),
            lambda thread, request: operations.malloc(self.state, thread, request),
        )

    def calloc(self, count: int, size: int) -> int:
        """Return the address of a new object for `count` elements of `size` bytes, zeroed."""
        product = checked_count("calloc", "count", count) * checked_count("calloc", "size", size)
        return self._allocate(
            checked_size("calloc", product, "count * size"),
            lambda thread, request: operations.calloc(self.state, thread, request),
        )

    def memalign(self, alignment: int, size: int) -> int:
        """Return the address of a new object, aligned to `alignment`, which is a power of two."""
        power = checked_alignment("memalign", alignment)
        return self._allocate(
            checked_size("memalign", size),
            lambda thread, request: operations.memalign(self.state, thread, power, request),
        )

    def realloc(self, address: int, size: int) -> int:
        """Resize an object, keep its contents, and return its address, which may have changed.

        As in C, realloc(0, n) is malloc(n), and realloc(p, 0) frees p and returns 0.
        """
        old = checked_integer("realloc", "address", address)
        new_size = checked_size("realloc", size)
        if old == 0:
            return self.malloc(new_size)
        if new_size == 0:
            self.free(old)
            return 0
        with self._lock:
            self._require_live(old)
            thread, old_size = self._thread(), self._objects.remove(old)
            moved = int(operations.realloc(self.state, thread, old, new_size))
            if moved == 0:
                self._objects.add(old, old_size)
                raise self._failure(new_size)
            self._objects.add(moved, new_size)
            return moved

    def free(self, address: int) -> None:
        """Free an object; raise DoubleFree or InvalidFree if it is not live. free(0) is allowed."""
        target = checked_integer("free", "address", address)
        if target == 0:
            return
        with self._lock:
            self._require_live(target)
            thread, size = self._thread(), self._objects.remove(target)
            status = operations.free(self.state, thread, target)
            if status != Status.OK:
                self._objects.add(target, size)
                raise rejected(target, self.design.name, status)

    def usable_size(self, address: int) -> int:
        """Return how many bytes the live object at `address` occupies, including rounding."""
        target = checked_integer("usable_size", "address", address)
        with self._lock:
            self._require_live(target, UseAfterFree)
            return int(operations.usable_size(self.state, target))

    def view(self, address: int) -> memoryview:
        """Return a view, not a copy, of the requested bytes of a live object or stack segment.

        A view outlives its object, as a pointer in C does. After free(), the view can still be
        read, but shows what the allocator or the next owner of the memory writes. Writing through
        the view then corrupts the heap. After close(), the view keeps the memory mapped.
        """
        target = checked_integer("view", "address", address)
        with self._lock:
            if target in self._stacks:
                return self.memory.view(target, self._stacks[target])
            self._require_live(target, UseAfterFree)
            return self.memory.view(target, self._objects[target])

    def allocate_stack(self, size: int) -> int:
        """Return the address of a new stack segment of whole pages. Only free_stack can free it."""
        request = checked_size("allocate_stack", size)
        with self._lock:
            address = int(operations.allocate_stack(self.state, request))
            if address == 0:
                raise self._failure(request)
            self._stacks.add(address, request)
            return address

    def free_stack(self, address: int) -> None:
        """Free a stack segment."""
        target = checked_integer("free_stack", "address", address)
        with self._lock:
            state = self.state
            if target not in self._stacks:
                raise InvalidFree(target, "it is not a stack segment in use")
            size = self._stacks.remove(target)
            if operations.free_stack(state, target) != Status.OK:
                self._stacks.add(target, size)
                raise InvalidFree(target, "the design does not know this stack segment")

    def freeze(self) -> None:
        """Forbid the heap to grow: a call that needs more memory from the OS raises HeapFrozen."""
        with self._lock:
            operations.freeze(self.state)

    def release(self, length: int) -> int:
        """Release about `length` bytes of free pages to the OS; return the bytes released."""
        target = checked_length("release", length)
        with self._lock:
            return int(operations.release(self.state, target))

    def thread_done(self) -> None:
        """Report the end of the calling thread to the design, which may empty the thread's cache.

        The next call of the same thread counts as the first call of a new thread.
        """
        with self._lock:
            thread = self._threads.remove()
            if thread is not None:
                operations.thread_done(self.state, thread)

    def close(self) -> None:
        """Unmap the memory. If views of it exist, this happens when the last view is deleted."""
        with self._lock:
            self._state = None
            self._objects.clear()
            self._stacks.clear()
            self.memory.close()

    def __enter__(self) -> Heap:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse copy.copy, copy.deepcopy and pickle: two heaps would unmap the same memory."""
        raise TypeError("a Heap can't be copied or pickled: it owns memory of this process")

    def _allocate(self, size: int, call: Callable[[int, int], int]) -> int:
        """Call `call(thread, size)`, which allocates, and record the requested size."""
        with self._lock:
            address = int(call(self._thread(), size))
            if address == 0:
                raise self._failure(size)
            self._objects.add(address, size)
            return address

    def _failure(self, size: int) -> Exception:
        """Return the error for a request that the design could not satisfy."""
        return failure(self.state, self.design.name, self.memory.length, size)

    def _require_live(self, address: int, freed: type[InvalidFree] = DoubleFree) -> None:
        """Raise an error unless the object at `address` is live.

        The type of the error is `freed` for an object that is known to have been freed, else
        InvalidFree. A freed large object also gives InvalidFree (see `not_live`).
        """
        if address not in self._objects:
            raise not_live(self.state, address, freed)

    def _thread(self) -> int:
        """Return the number of the calling thread, which is assigned at the thread's first call."""
        self._end_threads()
        thread = self._threads.current()
        if thread is not None:
            return thread
        number = self._threads.count
        if operations.thread_begin(self.state, number) == Status.OK:
            return self._threads.add(self._end_thread)
        if number >= MAX_THREADS:
            raise OutOfMemory(f"a heap supports at most {MAX_THREADS} threads")
        raise self._failure(0)

    def _end_thread(self, thread: int) -> None:
        """Call the design's `thread_done` for a thread that has ended, unless the heap is closed.

        The garbage collector may call this function in the middle of a call to the heap. In that
        case, the thread's number is only queued, and the next call to the heap calls `thread_done`.
        """
        self._ended.append(thread)
        if not self._mutex._is_owned():
            with self._mutex:
                self._end_threads()

    def _end_threads(self) -> None:
        """Call the design's `thread_done` for every queued thread."""
        while self._ended and self._state is not None:
            operations.thread_done(self._state, self._ended.pop())
