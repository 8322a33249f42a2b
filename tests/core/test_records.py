"""Record declarations: the dtype for NumPy, and mistakes that the type checker rejects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from allocsim.core.memory import table
from allocsim.core.records import Counters, Int32, Int64, Sample, Struct, System, UInt32
from tests.conftest import REPOSITORY


class Mixed(Struct):
    """A record of fields of all widths."""

    state: Int32
    address: Int64
    next: UInt32


class Longer(Mixed):
    """A record that extends another."""

    size: UInt32


def fields(record: type[Struct]) -> Mapping[str, tuple[Any, ...]]:
    """Return the fields of a record with their types and offsets."""
    return record.dtype.fields or {}


def test_record_is_laid_out_as_a_c_struct() -> None:
    layout = {name: (field[0].str, field[1]) for name, field in fields(Mixed).items()}
    assert layout == {"state": ("<i4", 0), "address": ("<i8", 8), "next": ("<u4", 16)}
    assert Mixed.dtype.itemsize == 24


def test_record_that_extends_another_begins_with_its_fields() -> None:
    assert [*fields(Longer)] == ["state", "address", "next", "size"]
    assert {name: fields(Longer)[name] for name in fields(Mixed)} == dict(fields(Mixed))
    assert fields(Longer)["size"][1] == 20


def test_records_with_fields_of_eight_bytes_have_no_padding() -> None:
    for record in (System, Counters, Sample):
        assert record.dtype.itemsize == 8 * len(fields(record))


def test_column_that_does_not_exist_is_an_error_when_it_is_read() -> None:
    with pytest.raises(AttributeError, match="adress"):
        _ = table(Mixed, 2).adress


KERNEL = """
from allocsim.core.jit import kernel
from allocsim.designs.go2008.records import Go2008, Span

@kernel
def pages_of(heap: Go2008, number: int) -> int:
    span = heap.span[number]
    {statement}
    return span.pages
"""
"""The source of a kernel, to which a statement is added."""

MISSPELT = {
    "field read": ("span.pags", '"Span" has no attribute "pags"'),
    "field written": ("span.adress = 1", '"Span" has no attribute "adress"'),
    "field of a table": ("heap.system[0].lenght", '"System" has no attribute "lenght"'),
    "field of a grid": ("heap.free_list[0, 1].hed", '"FreeList" has no attribute "hed"'),
    "row used as a record": ("heap.free_list[0] + 1", "Unsupported operand types"),
    "table": ("heap.spans", '"Go2008" has no attribute "spans"'),
    "type of a value": ("span.pages = 'x'", "expression has type"),
}


@pytest.mark.parametrize(("statement", "message"), MISSPELT.values(), ids=MISSPELT)
def test_type_checker_rejects_a_kernel_with_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, message: str
) -> None:
    report = checked(tmp_path, monkeypatch, statement)
    assert message in report


def test_type_checker_accepts_a_correct_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Success" in checked(tmp_path, monkeypatch, "span.pages = 1")


def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str) -> str:
    """Return the output of mypy, as configured for allocsim, for the kernel with `statement`."""
    monkeypatch.chdir(REPOSITORY)
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL.format(statement=statement))
    output, errors, _ = api.run(["--cache-dir", str(CACHE), str(path)])
    return output + errors


CACHE = REPOSITORY / ".mypy_cache"
"""mypy's cache of the whole package. With it, a run of mypy takes only a second."""
