"""A function that runs in a thread while a block runs has ended when the block is left."""

import threading

import pytest

from allocsim.recorders.background import in_background


def test_function_has_ended_after_the_block() -> None:
    steps = []

    def run(ended: threading.Event) -> None:
        ended.wait()
        steps.append("function")

    with in_background(run):
        steps.append("block")
    assert steps == ["block", "function"]


def test_function_ends_when_the_block_raises() -> None:
    seen = []
    with pytest.raises(KeyError), in_background(lambda ended: seen.append(ended.wait())):
        raise KeyError
    assert seen == [True]
