"""A slow and simple model of go2008's pages, which uses no kernel or record of allocsim.

It has no addresses of objects. A span is its first page and its length. Free small objects are a
count for each thread and size.
"""

from dataclasses import dataclass, field

from allocsim.events import Op

PAGE = 4096
SMALL = 32768
LARGE_LIST = 256
MIB = 1 << 20

SIZES: list[int] = [
    *range(8, 121, 8),
    *range(128, 241, 16),
    *range(256, 481, 32),
    *range(512, 961, 64),
    *range(1024, 1921, 128),
    *range(2048, 32769, 256),
]

ROUNDED: list[int] = [min(size for size in SIZES if size >= low) for low in range(1, SMALL + 1, 8)]
"""The object size for requests of 1 to 8 bytes, 9 to 16, and so on; sizes are multiples of 8."""

Span = tuple[int, int]
"""First page, counted from the start of the heap, and length in pages."""


def object_size(request: int) -> int:
    """Return the bytes of the small object for a request."""
    return ROUNDED[(max(request, 1) - 1) // 8]


@dataclass
class PageModel:
    """The state of a heap: its free spans, cached objects and live objects."""

    pages: int = 0
    """Pages obtained from the operating system."""
    grows: int = 0
    splits: int = 0
    refills: int = 0
    spans: int = 0
    short: dict[int, list[Span]] = field(default_factory=dict)
    """Free spans by length, the newest last."""
    long: list[Span] = field(default_factory=list)
    """Free spans of 256 pages or more, by ascending length; of equal lengths, the newest first."""
    cached: dict[tuple[int, int], int] = field(default_factory=dict)
    """Free objects by thread and object size."""
    live: dict[int, int | Span] = field(default_factory=dict)
    """Live objects by number: the size of a small object, or the span of a large one."""

    def play(self, request: int, number: int, thread: int, op: int, alignment: int) -> None:
        """Replay one event; the arguments are in the order of the fields of an EVENT."""
        if op in (Op.MALLOC, Op.CALLOC, Op.MEMALIGN):
            self.live[number] = self.allocate(request, thread)
        elif op == Op.REALLOC:
            new = self.allocate(request, thread)
            self.free(self.live[number], thread)
            self.live[number] = new
        elif op == Op.FREE:
            self.free(self.live.pop(number), thread)

    def allocate(self, request: int, thread: int) -> int | Span:
        """Take a small object from the thread's list, or a span."""
        if request >= SMALL:
            return self.take(-(-request // PAGE))
        size = object_size(request)
        if not self.cached.get((thread, size)):
            chunk = min(1024 * size, MIB)
            self.take(-(-chunk // PAGE))
            self.refills += 1
            self.cached[thread, size] = chunk // size
        self.cached[thread, size] -= 1
        return size

    def free(self, freed: int | Span, thread: int) -> None:
        """Put a small object on the thread's list, or a span on a list of free spans."""
        if isinstance(freed, int):
            self.cached[thread, freed] = self.cached.get((thread, freed), 0) + 1
        else:
            self.insert(freed)

    def take(self, pages: int) -> Span:
        """Take a span of exactly `pages` pages."""
        first, length = self.best_fit(pages) or self.grow(max(pages, LARGE_LIST))
        if length > pages:
            self.splits += 1
            self.spans += 1
            self.insert((first + pages, length - pages))
        return first, pages

    def best_fit(self, pages: int) -> Span | None:
        """Take the shortest free span of at least `pages` pages off its list, or return None."""
        for length in range(pages, LARGE_LIST):
            if self.short.get(length):
                return self.short[length].pop()
        for place, span in enumerate(self.long):
            if span[1] >= pages:
                return self.long.pop(place)
        return None

    def grow(self, pages: int) -> Span:
        """Return a span of new pages."""
        self.grows += 1
        self.spans += 1
        self.pages += pages
        return self.pages - pages, pages

    def insert(self, span: Span) -> None:
        """Put a free span on the list for its length."""
        length = span[1]
        if length < LARGE_LIST:
            self.short.setdefault(length, []).append(span)
            return
        place = sum(1 for _, other in self.long if other < length)
        self.long.insert(place, span)

    def figures(self) -> dict[str, int]:
        """Return the figures that a sample of the heap must have."""
        return {
            "heap": self.pages * PAGE,
            "grows": self.grows,
            "spans_total": self.spans,
            "spans_free": len(self.long) + sum(len(spans) for spans in self.short.values()),
            "splits": self.splits,
            "refills": self.refills,
        }
