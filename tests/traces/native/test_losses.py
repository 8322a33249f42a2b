"""Losses in files of older versions, which store only the counts of dropped calls."""

from pathlib import Path

import msgspec
import pytest

from allocsim.traces.native import header
from allocsim.traces.native.file import read_trace, write_trace
from tests.traces.streams import trace_of, valid_calls


@pytest.mark.parametrize(("unknown", "count"), [(1, 0), (9, 1)])
def test_file_of_an_older_version_has_the_losses_that_its_counts_show(
    tmp_path: Path, unknown: int, count: int
) -> None:
    path = tmp_path / "old.allocsim"
    write_trace(trace_of(valid_calls(1, 40)), path)
    content = path.read_bytes()
    layout = header.parse_layout(content, "old")
    about = header.parse_description(content[: layout.begin], layout, "old")
    about = msgspec.structs.replace(about, dropped={"free of unknown": unknown})
    start = header.encode_header(about, layout.begin, layout.rows)
    path.write_bytes(start + content[layout.begin :])
    assert len(read_trace(path).losses) == count
