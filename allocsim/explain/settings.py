"""The settings of a subject that experiments try: alone and all together.

One setting alone often does little: memory that a cache holds cannot be released.
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
"""Settings that make a library keep less memory, by its family (see `libraries.known_settings`)."""

OF_DESIGNS = {
    "aggressive_decommit": "1",
    "transfer_num_obj": "2",
    "max_total_thread_cache_bytes": "524288",
    "trim_threshold": "0",
    "mmap_threshold": "4096",
    "tcache_count": "0",
    "GOGC": "50",
}
"""Parameters of designs that make them keep less memory. A design is tried with those it has."""


def tried_settings(subject: str) -> list[str]:
    """Return the subject's name with settings to try: with all of them first, then with each."""
    pairs = [f"{key}={value}" for key, value in _settings_of(subject).items()]
    together = [":".join(pairs)] if len(pairs) > 1 else []
    return [f"{subject}:{text}" for text in (*together, *pairs)]


def _settings_of(subject: str) -> dict[str, str]:
    """Return the settings to try that the subject has and does not set."""
    library = library_of(subject)
    if library is None:
        design, given = design_of(subject)
        known, tried = [*find_design(design).parameters], OF_DESIGNS
    else:
        name, given = split_settings(library)
        known, tried = [*available_settings(name)], OF_LIBRARIES.get(family_of(name) or "", {})
    return {key: value for key, value in tried.items() if key in known and key not in given}
