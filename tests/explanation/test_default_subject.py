"""The allocator that explains a workload if the user does not name one."""

from dataclasses import replace

from allocsim.explanation.subject import default_subject
from tests.driving import malloc, stream_of
from tests.playing import trace_of


def test_trace_of_go_is_explained_on_gos_allocator() -> None:
    trace = trace_of(stream_of([malloc(0, 8)]))
    for description, expected in (
        ({}, "lib:glibc"),
        ({"format": "heaptrack", "source": 5}, "lib:glibc"),
        ({"format": "go-trace"}, "go"),
        ({"format": "allocsim", "source": {"format": "go-trace"}}, "go"),
    ):
        assert default_subject(replace(trace, description=description)) == expected
