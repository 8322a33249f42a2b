"""Tests during which coverage is not measured.

Tracing doubles the time of kernels in pure mode. These tests run the same lines many times, and
other tests run these lines too. Child processes are still traced.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent

HEAVY = (
    *("explanation/test_guilty_lines.py", "explanation/test_heap_top.py", "heap/test_fork.py"),
    *("designs/tcmalloc/test_frozen.py", "test_fuzz.py"),
)
"""Files below tests/."""


def is_heavy(file: Path) -> bool:
    """Return whether the tests of a file are not traced."""
    return any(file == HERE / place for place in HEAVY)


@contextmanager
def untraced() -> Iterator[None]:
    """Pause the measurement of coverage, if there is one."""
    module = sys.modules.get("coverage")
    measuring = module.Coverage.current() if module else None
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()
