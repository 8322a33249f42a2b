"""A slow model of the design `go` with direct=1, made of lists and dicts.

Only the size classes are those of the design.
"""

from dataclasses import dataclass, field

from allocsim.designs.go.size_classes import CLASSES, objects_of

PAGE, CHUNK, BLOCK = 8192, 512, 64
TINY = 2


@dataclass
class Span:
    """A span. `taken` marks the slots in use. The search for a free slot begins at `next`."""

    page: int
    size_class: int
    taken: list[bool]
    next: int = 0


@dataclass
class SlowGo:
    """A heap. Addresses count from its first byte; a large object is a span of one slot."""

    used: list[bool] = field(default_factory=list)
    cache: list[int] = field(default_factory=list)
    cached: dict[int, Span] = field(default_factory=dict)
    partial: dict[int, list[Span]] = field(default_factory=dict)
    span_at: dict[int, Span] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)
    tiny: int | None = None
    offset: int = 0

    def malloc(self, size: int) -> int:
        """Return the address of an object of 1 byte or more."""
        if size < 16:
            return self._tiny(size)
        if size > 32760:
            page = self._take(-(-size // PAGE))
            self._add(Span(page, 0, [True]), -(-size // PAGE))
            return page * PAGE
        return self._slot(next(n for n, it in enumerate(CLASSES, 1) if it.object_size >= size))

    def free(self, address: int) -> None:
        """Free an object."""
        span = self.span_at[address // PAGE]
        if span.size_class == 0:
            self._give(span)
            return
        block = address & -16
        if span.size_class == TINY and block in self.parts:
            self.parts[block] -= 1
            if self.parts[block]:
                return
            del self.parts[block]
            if block == self.tiny:
                self.tiny, self.offset = None, 0
            address = block
        slot = (address - span.page * PAGE) // CLASSES[span.size_class - 1].object_size
        was_full = all(span.taken)
        span.taken[slot] = False
        if self.cached.get(span.size_class) is span:
            return
        queue = self.partial.setdefault(span.size_class, [])
        if was_full:
            queue.append(span)
        if not any(span.taken):
            queue.remove(span)
            self._give(span)

    def _tiny(self, size: int) -> int:
        """Return the address of an object within a tiny block."""
        alignment = next(a for a in (8, 4, 2, 1) if size % a == 0)
        offset = -(-self.offset // alignment) * alignment
        if self.tiny is not None and offset + size <= 16:
            self.offset = offset + size
            self.parts[self.tiny] += 1
            return self.tiny + offset
        address = self._slot(TINY)
        self.parts[address] = 1
        if self.tiny is None or size < self.offset:
            self.tiny, self.offset = address, size
        return address

    def _slot(self, size_class: int) -> int:
        """Take a slot of a class."""
        while True:
            span = self.cached.get(size_class)
            for slot in range(span.next, len(span.taken)) if span else ():
                assert span
                if not span.taken[slot]:
                    span.taken[slot], span.next = True, slot + 1
                    return span.page * PAGE + slot * CLASSES[size_class - 1].object_size
            self._refill(size_class)

    def _refill(self, size_class: int) -> None:
        """Replace the cached span."""
        old, queue = self.cached.pop(size_class, None), self.partial.setdefault(size_class, [])
        if old and not any(old.taken):
            self._give(old)
        elif old and not all(old.taken):
            queue.append(old)
        if queue:
            self.cached[size_class] = queue.pop(0)
            self.cached[size_class].next = 0
            return
        info = CLASSES[size_class - 1]
        span = Span(self._take(info.pages), size_class, [False] * objects_of(info, True))
        self._add(span, info.pages)
        self.cached[size_class] = span

    def _add(self, span: Span, pages: int) -> None:
        self.lengths[span.page] = pages
        self.span_at.update((span.page + n, span) for n in range(pages))

    def _give(self, span: Span) -> None:
        for page in range(span.page, span.page + self.lengths.pop(span.page)):
            self.used[page] = False
            del self.span_at[page]

    def _take(self, pages: int) -> int:
        """Allocate a run of pages; return its first page.

        Fewer than 16 pages are taken from `cache` (the free pages of one block) if they fit.
        Otherwise the lowest free run is taken, and the heap grows if no run is long enough.
        """
        if pages < 16:
            if not self.cache and False in self.used:
                block = self.used.index(False) // BLOCK * BLOCK
                self.cache = [n for n in range(block, block + BLOCK) if not self.used[n]]
                self.used[block : block + BLOCK] = [True] * BLOCK
            for page in self.cache:
                run = range(page, page + pages)
                if all(each in self.cache for each in run):
                    self.cache = [each for each in self.cache if each not in run]
                    return page
        first = self._lowest(pages)
        if first < 0:
            self.used += [False] * (-(-pages // CHUNK) * CHUNK)
            first = self._lowest(pages)
        self.used[first : first + pages] = [True] * pages
        return first

    def _lowest(self, pages: int) -> int:
        """Return the lowest run of free pages, or -1."""
        run = 0
        for page, used in enumerate(self.used):
            run = 0 if used else run + 1
            if run == pages:
                return page - pages + 1
        return -1
