"""Parquet: columns of the events; a missing pyarrow is an error with a remedy."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.events import Op
from allocsim.traces.writers import parquet
from allocsim.traces.writers.parquet import write_parquet
from tests.driving import Call, stream_of
from tests.traces.streams import trace_of, valid_calls

CALLS = valid_calls(2, 60)


def test_missing_pyarrow_is_an_error_with_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentLacks, match=r"pip install 'allocsim\[parquet\]'"):
        write_parquet(trace_of(CALLS), tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("group", [1, 7, 1 << 20])
def test_columns_are_those_of_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    monkeypatch.setattr(parquet, "ROW_GROUP", group)
    path = tmp_path / "out.parquet"
    write_parquet(trace_of(CALLS), path)
    found, events = pq.read_table(path), stream_of(CALLS)
    assert found.column_names == ["op", "thread", "object", "request", "alignment"]
    assert found["op"].to_pylist() == [Op(op).name.lower() for op in events.op.tolist()]
    for name in ("thread", "object", "request"):
        assert found[name].to_pylist() == events[name].tolist()
    assert found["alignment"].to_pylist() == [
        1 << call.alignment if call.op == Op.MEMALIGN else 0 for call in CALLS
    ]


def test_file_keeps_the_description_of_the_trace(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    path = tmp_path / "out.parquet"
    write_parquet(trace_of(CALLS, seed=5, dropped={"overlap": 2}, notes=["a note"]), path)
    known = json.loads(pq.read_metadata(path).metadata[b"allocsim"])
    assert (known["seed"], known["dropped"], known["notes"]) == (5, {"overlap": 2}, ["a note"])
    assert known["source"]["format"] == "test"


def test_trace_of_nothing_has_the_columns(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    write_parquet(trace_of([]), tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
    trace = trace_of([Call(Op.MALLOC)])

    def broken() -> object:
        yield stream_of(CALLS)
        raise KeyboardInterrupt

    trace.chunks = broken()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        write_parquet(trace, tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_chunks_are_gathered_without_loss() -> None:
    chunks = [stream_of(CALLS[:3]), stream_of(CALLS[3:])]
    gathered = list(parquet._row_groups(iter(chunks)))
    assert np.concatenate(gathered).tolist() == stream_of(CALLS).tolist()
