"""Run a test without coverage, which doubles the time of Python code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from coverage import Coverage

CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage starts in Python processes that a test starts."""


@contextmanager
def untraced() -> Iterator[None]:
    """Pause coverage, if it measures this process, also for the processes that are started."""
    measuring = Coverage.current()
    config = os.environ.pop(CHILDREN, None)
    if measuring:
        measuring.stop()
    try:
        yield
    finally:
        if measuring:
            measuring.start()
        if config is not None:
            os.environ[CHILDREN] = config
