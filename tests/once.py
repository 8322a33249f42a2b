"""Tests that run once: in the pure suite or in the compiled suite.

Some tests are the same in both modes. Most of them test a report, a picture, the text of a message,
or a program under a recorder. They run in the pure suite, where coverage is measured; scripts/test
deselects them in the compiled suite.

Other tests are of child processes, or run whole commands for the sake of their files. In pure mode
each takes seconds, and the same kernels are checked by faster tests. They run compiled.
"""

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent

ONCE = (
    *("call_sites", "pictures", "real_runs", "recorders", "reports"),
    *("cli/test_completion.py", "cli/test_exit_interrupts.py", "cli/test_exit_streams.py"),
    *("cli/test_exit_usage.py", "cli/test_help.py", "cli/test_progress.py", "cli/test_start.py"),
    *("cli/test_types.py", "core/test_import_closure.py", "core/test_records.py"),
    *("designs/test_parameter_types.py", "sweep/test_cluster.py", "test_interrupted_start.py"),
    *("test_api_types.py", "test_layers.py", "test_numba_settings.py", "test_numpy_import.py"),
    *("test_environment_script.py", "test_interrupts.py", "test_signals.py"),
)
"""Directories and files below tests/ whose tests run only in the pure suite."""

COMPILED = (
    *("benchmark/test_memory.py", "cli/test_file_names.py", "cli/test_removed_settings.py"),
    *("recorders/preload/test_aarch64.py", "recorders/preload/test_equality.py"),
    "recorders/preload/test_record.py",
)
"""Files whose tests run only in the compiled suite."""


def runs_once(file: Path) -> bool:
    """Return whether the tests of a file run only in the pure suite."""
    return _is_below(file, ONCE)


def runs_compiled(file: Path) -> bool:
    """Return whether the tests of a file run only in the compiled suite."""
    return _is_below(file, COMPILED)


@cache  # called for each of 10,000 tests, which lie in 400 files
def _is_below(file: Path, places: tuple[str, ...]) -> bool:
    """Return whether a file is one of the places, or lies below one."""
    return any(file.is_relative_to(HERE / place) for place in places)
