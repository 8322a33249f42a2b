"""The dispatcher of a kernel: it pauses the garbage collector during compilation."""

import gc

import pytest

from allocsim.core import inlined_kernels
from allocsim.core.jit import PURE, kernel
from allocsim.core.kernel_dispatcher import collection_paused


def test_garbage_collector_is_paused_and_resumed() -> None:
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_collector_is_resumed_after_an_error() -> None:
    with pytest.raises(ValueError, match="in the block"), collection_paused():
        raise ValueError("in the block")
    assert gc.isenabled()


@pytest.mark.skipif(PURE, reason="no kernel is compiled in pure mode")
def test_garbage_collector_is_paused_while_a_kernel_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    finalize = inlined_kernels.LinkedLibrary.finalize

    def noted(self: inlined_kernels.LinkedLibrary) -> None:
        seen.append(gc.isenabled())
        finalize(self)

    monkeypatch.setattr(inlined_kernels.LinkedLibrary, "finalize", noted)

    @kernel
    def twice(number: int) -> int:
        return 2 * number

    assert twice(21) == 42
    assert seen == [False]
    assert gc.isenabled()
