"""A child sends each stage of its measurement, then the figures, and ends by itself.

The parent kills a child that has sent its figures (see `running`); here the child ends in its own
time, so coverage can save what it ran.
"""

import os
import subprocess
from collections.abc import Callable

import msgspec
import pytest

from allocsim.benchmark.child import Message, Request
from allocsim.benchmark.event_file import EventFile
from allocsim.driver import Touch
from allocsim.libraries.environment import child_environment
from allocsim.python_child import module_command
from tests.driving import random_calls, stream_of

STAGES = {
    "memory": ["loading", "ready", "checking", "done"],
    "times": ["loading", "ready", "done"],
}


def messages_of(request: Request, library: str | None) -> list[Message]:
    """Run a child to its end; return its messages, without those about compiling."""
    reading, request.messages = os.pipe()
    argument = msgspec.json.encode(request).decode()
    with os.fdopen(reading, "rb") as messages:
        child = subprocess.Popen(
            module_command("allocsim.benchmark.child", argument),
            env=child_environment(library),
            pass_fds=request.descriptors(),
        )
        os.close(request.messages)
        lines = messages.readlines()
    assert child.wait() == 0
    found = [msgspec.json.decode(line, type=Message) for line in lines]
    return [message for message in found if message.stage != "compiling"]


@pytest.mark.parametrize("measure", STAGES)
@pytest.mark.parametrize("library", [None, "glibc"])
def test_child_sends_each_stage_and_then_the_figures(
    event_file: Callable[..., EventFile], library: str | None, measure: str
) -> None:
    file = event_file(stream_of(random_calls(1, 200)))
    request = Request(
        subject=f"lib:{library}" if library else "go2008",
        measure=measure,
        events=file.descriptor,
        messages=-1,  # set by `messages_of`
        touch=Touch.PAGE,
        limit=None,
        available=1 << 30,
        reserve=1 << 30,
        times=[(0, 0), (200, 60 * 10**9)] if library else (),
        later=0.0,
    )
    found = messages_of(request, library)
    assert [message.stage for message in found] == STAGES[measure]
    assert getattr(found[-1], measure) is not None
