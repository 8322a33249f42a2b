"""The rows of a sweep as Parquet."""

from pathlib import Path

import pytest

from allocsim.reports.sweep_parquet import write_rows_parquet
from allocsim.reports.sweep_text import FIELDS, flat
from tests.sweep.cells import row


def test_columns_are_the_fields_of_the_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    rows = [row("glibc:mxfast=0", 5), row("go2008", ns=2.5), row("go", None, seed=3)]
    write_rows_parquet(rows, tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert tuple(table.column_names) == FIELDS
    assert table.to_pylist() == [{name: flat(each)[name] for name in FIELDS} for each in rows]
