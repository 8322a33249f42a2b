"""The settings that experiments try on a subject (a design or a malloc library).

Experiments try the settings one by one and all together. A single setting often saves little. For
example, early release does not help while caches hold the memory.
"""

from __future__ import annotations

from allocsim.benchmark.subject import design_of, library_of
from allocsim.designs import find_design
from allocsim.libraries.names import split_settings
from allocsim.libraries.settings import available_settings, family_of

OF_LIBRARIES = {
    "glibc": {"trim_threshold": "0", "mmap_threshold": "4096", "tcache_count": "0"},
    "jemalloc": {"dirty_decay_ms": "0", "muzzy_decay_ms": "0"},
    "mimalloc": {"purge_delay": "0", "page_reset": "1"},
    "tcmalloc": {
        "aggressive_decommit": "1",
        "transfer_num_obj": "2",
        "max_total_thread_cache_bytes": "524288",
    },
}
"""Settings that reduce a library's footprint, by family (see `libraries.known_settings`)."""

OF_DESIGNS = {
    "aggressive_decommit": "1",
    "transfer_num_obj": "2",
    "max_total_thread_cache_bytes": "524288",
    "trim_threshold": "0",
    "mmap_threshold": "4096",
    "tcache_count": "0",
    "GOGC": "50",
}
"""Parameters that reduce a design's footprint. No design has all of them."""


def tried_settings(subject: str) -> list[str]:
    """Return the subject's name with settings added: first all of them, then each alone."""
    pairs = [f"{key}={value}" for key, value in _settings_of(subject).items()]
    together = [":".join(pairs)] if len(pairs) > 1 else []
    return [f"{subject}:{text}" for text in (*together, *pairs)]


def _settings_of(subject: str) -> dict[str, str]:
    """Return the settings to try: those that the subject has, except those set in its name."""
    library = library_of(subject)
    if library is None:
        design, set_in_name = design_of(subject)
        known, tried = [*find_design(design).parameters], OF_DESIGNS
    else:
        name, set_in_name = split_settings(library)
        known, tried = [*available_settings(name)], OF_LIBRARIES.get(family_of(name) or "", {})
    return {key: value for key, value in tried.items() if key in known and key not in set_in_name}
