"""Damaged or hostile files of rows give a clear error or a report."""

import contextlib
import json
import random
from pathlib import Path

import msgspec
import pytest

from allocsim.errors import InputError
from allocsim.reports.sweep_screen import print_sweep
from allocsim.reports.sweep_text import rows_csv, sweep_json
from allocsim.sweep.results import collect
from allocsim.sweep.row import Row
from allocsim.sweep.rows_file import read_rows
from allocsim.sweep.setting_bounds import MAX_KEYS, MAX_SETTINGS
from tests.sweep.cells import row, rows_of_all_kinds

ROWS = rows_of_all_kinds()

VALUES: tuple[object, ...] = (
    None,
    -1,
    0,
    1 << 61,
    1e300,
    "",
    "=1+1",
    "\x1b[2J",
    "a:b=c",
    "lib:",
    [],
    {},
    True,
    "9" * 4000,
)
"""Replacements for a value of a row."""


def report(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return every report of a file."""
    rows = list(read_rows(path))
    results = collect(rows)
    print_sweep(results, 3)
    return sweep_json(results, "") + rows_csv(rows) + capsys.readouterr().out


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_are_an_error_or_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    rng, whole = random.Random(seed), b"".join(msgspec.json.encode(r) + b"\n" for r in ROWS)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / "rows").write_bytes(damaged[: rng.randrange(1, len(damaged))])
        with contextlib.suppress(InputError):
            report(tmp_path / "rows", capsys)


@pytest.mark.parametrize("field", [*Row.__struct_fields__, "memory.peak", "times.ns"])
def test_any_value_of_a_field_is_an_error_or_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    outer, _, inner = field.partition(".")
    for value in VALUES:
        lines = []
        for each in ROWS:
            fields = msgspec.to_builtins(each)
            if inner and fields[outer]:
                fields[outer][inner] = value
            elif not inner:
                fields[outer] = value
            lines.append(json.dumps(fields))
        (tmp_path / "rows").write_text("\n".join(lines) + "\n")
        with contextlib.suppress(InputError):
            shown = report(tmp_path / "rows", capsys)
            assert "\x1b" not in shown
            assert ",=1+1" not in shown


def write_settings(path: Path, *settings: dict[str, str]) -> None:
    """Write a row of one allocator for each mapping of settings."""
    rows = [msgspec.structs.replace(row("glibc"), settings=each) for each in settings]
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in rows))


def test_settings_of_a_row_are_bounded(tmp_path: Path) -> None:
    path, settings = tmp_path / "rows", {f"k{n}": "1" for n in range(MAX_SETTINGS)}
    write_settings(path, settings)
    assert len(list(read_rows(path))) == 1
    write_settings(path, {}, settings | {"more": "1"})
    with pytest.raises(InputError, match="line 2: 65 settings in a row; expected at most 64"):
        list(read_rows(path))


def test_different_settings_of_an_allocator_are_bounded(tmp_path: Path) -> None:
    path, each = tmp_path / "rows", [{f"k{n}": "1"} for n in range(MAX_KEYS + 1)]
    write_settings(path, *each[:-1])
    assert len(list(read_rows(path))) == MAX_KEYS
    write_settings(path, *each)
    with pytest.raises(InputError, match="line 101: more than 100 different settings"):
        list(read_rows(path))
