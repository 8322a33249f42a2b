"""Selection of a writer by suffix or format name."""

from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.traces import open_trace
from allocsim.traces.writers import WRITERS, writer_for
from tests.traces.recordings import events_of
from tests.traces.streams import trace_of, valid_calls


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.allocsim", "allocsim"),
        ("a.b.txt", "aosp"),
        ("dir.txt/a.txt.gz", "aosp"),
        ("a.parquet", "parquet"),
    ],
)
def test_suffix_selects_the_format(name: str, form: str) -> None:
    assert writer_for(Path(name)) is WRITERS[form]


@pytest.mark.parametrize("form", WRITERS)
def test_named_format_is_written_whatever_the_suffix(form: str) -> None:
    assert writer_for(Path("a.txt"), form) is WRITERS[form]


@pytest.mark.parametrize("name", ["a", "a.gz", "a.txt.zst", "txt", "a.allocsim.gz", ".parquet.x"])
def test_other_names_are_an_error_that_lists_what_there_is(name: str) -> None:
    with pytest.raises(InputError, match=r"expected \.allocsim \(allocsim\), \.txt or \.txt\.gz"):
        writer_for(Path(name))


@pytest.mark.parametrize("name", ["a.allocsim", "a.txt", "a.txt.gz"])
def test_what_is_written_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    calls, path = valid_calls(4, 50, freezes=False), tmp_path / name
    writer_for(path).write(trace_of(calls), path)
    assert events_of(open_trace(str(path))).tolist() == events_of(trace_of(calls)).tolist()
