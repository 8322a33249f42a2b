"""The programs whose memory is predicted and measured: four with threads, four common tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from allocsim.errors import InputError
from allocsim.recorders.program import Program, find_program

THREADED = ("server", "queue", "pool", "sets")
"""The arguments of programs.c."""

DICTIONARIES = """
import json
made = {i: {"name": str(i) * 3, "values": [i, i + 1.5, str(i)]} for i in range(60_000)}
json.loads(json.dumps(made))
"""

TABLE = """
create table t(a integer primary key, b text, c);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)
insert into t select i, hex(i * 7919) || i, i % 1000 from n;
create index x on t(c);
select count(*) from t where c = 5;
"""

FUNCTION = """
int f{0}(int n, const int *v) {{
    int s = {0};
    for (int i = 0; i < n; i++) s += v[i] > s ? v[i] * {0} : v[i] / (s | 1);
    return s;
}}
"""

COMPRESSED_BYTES = 3_000_000


def programs(directory: Path) -> Iterator[tuple[str, Program | str]]:
    """Yield the name of each program, and the program or the reason why it cannot be run.

    Files that the programs need are made in `directory`.
    """
    for name in THREADED:
        yield name, _found(str(compile_programs(directory)), name)
    yield "python3", _found(_python(), "-c", DICTIONARIES)
    yield "sqlite3", _found("sqlite3", ":memory:", TABLE)
    yield "xz", _found("xz", "-6", "-T1", "--keep", "--stdout", str(_digits(directory)))
    yield "cc1", _found(_cc1(), "-quiet", "-O1", str(_source(directory)), "-o", "/dev/null")


def _found(*words: str) -> Program | str:
    """Return a command line as a program, or the reason why it cannot be run."""
    try:
        return find_program(words)
    except InputError as error:
        return str(error)


def compile_programs(directory: Path) -> Path:
    """Return the compiled programs.c."""
    path = directory / "programs"
    if not path.exists():
        source = Path(__file__).with_name("programs.c")
        options = ["-O2", "-fno-builtin", "-pthread", "-o", str(path), str(source)]
        subprocess.run(["cc", *options], check=True)
    return path


def _python() -> str:
    """Return the system's Python interpreter; a `python3` elsewhere may be a wrapper script."""
    return next(filter(shutil.which, ("/usr/bin/python3", "python3")), "python3")


def _cc1() -> str:
    """Return the C compiler proper, which gcc runs as a child process."""
    command = ["cc", "-print-prog-name=cc1"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _digits(directory: Path) -> Path:
    """Return a file of numbers to compress."""
    path = directory / "digits"
    text = "".join(str(number * number % 99_991) for number in range(COMPRESSED_BYTES // 4))
    path.write_text(text[:COMPRESSED_BYTES])
    return path


def _source(directory: Path) -> Path:
    """Return a C file of many functions."""
    path = directory / "functions.c"
    path.write_text("".join(FUNCTION.format(number) for number in range(3000)))
    return path
