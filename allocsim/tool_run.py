"""Run a tool, such as the C compiler, addr2line or a command of LTTng, and return its output.

With `subprocess.run`, the tool would continue to run after an interrupt has ended allocsim.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from allocsim.python_child import running


def run_tool(
    command: Sequence[str | bytes | Path],
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    seconds: float | None = None,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command with `given` on its standard input; return its exit status and output.

    The command's current directory is `directory`, or by default that of this process. The command
    is killed if a signal ends this process meanwhile, or after `seconds`. Raises OSError if it
    cannot be run, and subprocess.TimeoutExpired if it was killed after `seconds`.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    options: dict[str, Any] = pipes if environment is None else {**pipes, "env": environment}
    options["cwd"] = directory
    with running(command, **options) as child:
        try:
            output, errors = child.communicate(given, seconds)
        finally:  # communicate leaves the pipes open if the time is up
            for pipe in filter(None, (child.stdin, child.stdout, child.stderr)):
                with suppress(OSError):
                    pipe.close()
    return subprocess.CompletedProcess([*command], child.returncode, output, errors)
