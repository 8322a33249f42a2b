"""Tests that run once, because pure mode changes neither them nor the programs that they start.

Most of them test a report, a picture, the text of a message, or a program under a recorder. All run
in the pure suite, where coverage is measured; scripts/test deselects them in the compiled suite.
"""

from pathlib import Path

HERE = Path(__file__).parent

ONCE = (
    *("call_sites", "pictures", "real_runs", "recorders", "reports"),
    *("cli/test_completion.py", "cli/test_exit_interrupts.py", "cli/test_exit_streams.py"),
    *("cli/test_exit_usage.py", "cli/test_help.py", "cli/test_progress.py", "cli/test_start.py"),
    *("cli/test_types.py", "core/test_import_closure.py", "test_interrupted_start.py"),
    *("designs/test_parameter_types.py", "sweep/test_cluster.py", "test_interrupts.py"),
    *("test_api_types.py", "test_layers.py", "test_numba_settings.py", "test_numpy_import.py"),
    *("test_environment_script.py", "test_signals.py"),
)
"""Directories and files below tests/."""


def runs_once(file: Path) -> bool:
    """Return whether the tests of a file run once."""
    return any(file.is_relative_to(HERE / place) for place in ONCE)
