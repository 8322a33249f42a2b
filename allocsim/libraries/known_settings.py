"""The settings of malloc libraries, by family.

A family is a library under all of its names, versions and builds. A library reads its settings from
the environment at startup. Sources: jemalloc(3), mimalloc's options.c, gperftools' tcmalloc.cc and
page_heap.cc, glibc's dl-tunables.list, Scudo's flags.inc, and oneTBB's tbbmalloc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX = 1 << 62
"""The default maximum of a setting."""


@dataclass(frozen=True)
class Setting:
    """A setting of a library: an integer in a range, a switch, or one of several words."""

    meaning: str
    """One line for `allocsim list libraries`."""
    example: str
    """A valid value that differs from the default."""
    minimum: int = 0
    maximum: int = MAX
    words: tuple[str, ...] = ()
    """The valid values, if the setting takes words instead of numbers."""
    is_switch: bool = False
    earlier: tuple[str, ...] = ()
    """Names of the setting in earlier versions of the library, the newest first."""


@dataclass(frozen=True)
class Family:
    """A malloc library under all of its names, versions and builds."""

    mark: bytes
    """Bytes that identify the file of such a library. The mark of glibc may also be in the files of
    other libraries (see FAMILIES)."""
    settings: Mapping[str, Setting]
    spelling: str = "{name}"
    """The spelling of a setting's name in the library's file: a format string. In it, {name} is the
    name that allocsim uses, and {NAME} is the same name in capitals."""
    own_variable: str | None = None
    """If each setting has its own environment variable: the name of this variable, as a format
    string like `spelling`. None if the single variable `variable` contains all settings."""
    variable: str = ""
    pair: str = "{}={}"
    """The form of a setting in `variable`: a format string, filled with the name and the value."""
    separator: str = ":"
    """The text between two settings in `variable`."""
    switch: tuple[str, str] = ("0", "1")
    """The library's words for off and on."""


def _switch(meaning: str, example: str = "1", earlier: tuple[str, ...] = ()) -> Setting:
    """Return a setting that is on or off."""
    return Setting(meaning, example, is_switch=True, earlier=earlier)


GLIBC = {
    "arena_max": Setting("maximum number of arenas", "1", minimum=1),
    "arena_test": Setting("number of arenas that are always allowed", "1", minimum=1),
    "tcache_count": Setting("maximum chunks per size in a thread's cache", "0", maximum=65535),
    "tcache_max": Setting("maximum request, in bytes, that is cached", "256"),
    "tcache_unsorted_limit": Setting(
        "number of unsorted chunks to sort before a cached chunk is returned", "1"
    ),
    "mmap_threshold": Setting("minimum chunk, in bytes, that gets its own mapping", "64KiB"),
    "mmap_max": Setting("maximum number of chunks with their own mapping", "0", maximum=2**31 - 1),
    "trim_threshold": Setting("maximum free bytes kept at the end of the heap", "64KiB"),
    "top_pad": Setting("bytes added to every growth of the heap", "1MiB"),
    "mxfast": Setting("maximum request, in bytes, for fastbins; 0: no fastbins", "0"),
    "hugetlb": Setting("1: transparent huge pages; 2: huge pages of the default size", "1"),
}

JEMALLOC = {
    "dirty_decay_ms": Setting("ms until free pages are released; -1: never", "0", minimum=-1),
    "muzzy_decay_ms": Setting("ms until lazily freed pages are released; -1: never", "0", -1),
    "narenas": Setting("number of arenas", "1", minimum=1),
    "background_thread": _switch("release pages in a background thread"),
    "tcache": _switch("cache objects in each thread", "0"),
    "lg_tcache_max": Setting("log2 of the maximum size, in bytes, that is cached", "12", 3, 23),
    "retain": _switch("keep address space that is no longer used", "0"),
    "oversize_threshold": Setting("requests above this many bytes use a separate arena", "0"),
    "percpu_arena": Setting("an arena for each CPU", "percpu", words=("disabled", "percpu")),
    "metadata_thp": Setting("huge pages for metadata", "auto", words=("auto", "always")),
    "thp": Setting("huge pages for objects", "never", words=("default", "always", "never")),
    "lg_extent_max_active_fit": Setting(
        "log2 of the maximum ratio of the size of a reused extent to the request", "0", maximum=64
    ),
    "cache_oblivious": _switch("shift large objects to spread them over the CPU cache", "0"),
    "hpa": _switch("use the huge page allocator"),
    "dss": Setting(
        "whether to use sbrk: never, before mmap, or after mmap",
        "primary",
        words=("disabled", "primary", "secondary"),
    ),
    "zero": _switch("fill new objects with zeros"),
}

MIMALLOC = {
    "purge_delay": Setting(
        "ms until free pages are released; -1: never", "0", -1, earlier=("decommit_delay",)
    ),
    "purge_decommits": _switch("release pages by decommit, not by reset", "0", ("allow_decommit",)),
    "arena_eager_commit": Setting(
        "commit arenas when they are reserved; 2: only if the OS overcommits", "0", maximum=2
    ),
    "arena_reserve": Setting("bytes of address space that are reserved at a time", "64MiB"),
    "arena_purge_mult": Setting("factor by which purge_delay is multiplied for arenas", "1"),
    "eager_commit": _switch("commit whole segments when they are allocated (version 2)", "0"),
    "eager_commit_delay": Setting(
        "segments that a thread commits on demand before eager_commit applies", "4"
    ),
    "abandoned_page_purge": _switch(
        "release the pages of a thread that ends", "1", ("abandoned_page_decommit",)
    ),
    "page_reset": _switch("release a page as soon as it is free (version 2)"),
    "allow_large_os_pages": _switch("use huge pages", "1", ("large_os_pages",)),
    "page_reclaim_on_free": Setting("take over abandoned pages on free (version 3)", "1", -1, 2),
    "page_full_retain": Setting(
        "number of full pages that a thread keeps (version 3)", "0", -1, 1 << 10
    ),
    "reserve_os_memory": Setting("bytes that are reserved at startup", "1GiB"),
}

TCMALLOC = {
    "release_rate": Setting("speed of releasing free pages; 0: never", "10", maximum=1000),
    "max_total_thread_cache_bytes": Setting("bytes that all thread caches may hold", "1MiB"),
    "transfer_num_obj": Setting("maximum number of objects in a batch", "8", minimum=2),
    "aggressive_decommit": _switch("release pages as soon as they are freed"),
    "disable_memory_release": _switch("release nothing"),
    "heap_limit_mb": Setting("maximum size of the heap, in MiB", "1024"),
    "skip_sbrk": _switch("take memory by mmap only"),
}

SCUDO = {
    "release_to_os_interval_ms": Setting("ms between releases; -1: never", "0", -1, 2**31 - 1),
    "quarantine_size_kb": Setting("KiB of freed objects held in quarantine", "256", -1, 2**31 - 1),
    "zero_contents": _switch("fill new objects with zeros"),
}

TBB = {
    "use_huge_pages": _switch("use huge pages"),
    "set_huge_size_threshold": Setting("minimum object, in bytes, that is not cached", "64MiB"),
}

FAMILIES = {
    "jemalloc": Family(
        b"mallctl\0",
        JEMALLOC,
        pair="{}:{}",
        separator=",",
        variable="MALLOC_CONF",
        switch=("false", "true"),
    ),
    "mimalloc": Family(b"mi_version\0", MIMALLOC, own_variable="MIMALLOC_{NAME}"),
    "tcmalloc": Family(b"TCMALLOC_RELEASE_RATE\0", TCMALLOC, "TCMALLOC_{NAME}", "TCMALLOC_{NAME}"),
    "scudo": Family(b"SCUDO_OPTIONS\0", SCUDO, variable="SCUDO_OPTIONS", switch=("false", "true")),
    "tbb": Family(b"scalable_malloc\0", TBB, "TBB_MALLOC_{NAME}", "TBB_MALLOC_{NAME}"),
    "glibc": Family(
        b"gnu_get_libc_version\0", GLIBC, "glibc.malloc.{name}", variable="GLIBC_TUNABLES"
    ),
}
"""The families by their names. glibc comes last, because other libraries may contain its mark."""
