"""The dispatcher of a kernel: how it compiles."""

import gc

import pytest
from numba.core.caching import NullCache
from numba.core.event import install_recorder

from allocsim.core import inlined_kernels
from allocsim.core.jit import PURE, cold, kernel
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

    twice._cache = NullCache()  # type: ignore[attr-defined]
    assert twice(21) == 42
    assert seen == [False]
    assert gc.isenabled()


@cold
def least_of_cold(first: int, second: int) -> int:
    """Return the smaller of two numbers, in a kernel that is not inlined."""
    return min(first, second)


@kernel
def least_of_inlined(first: int, second: int) -> int:
    """Return the smaller of two numbers, in a kernel that is inlined."""
    return min(first, second)


@kernel
def least(first: int, second: int, third: int) -> int:
    """Return the smallest of three numbers, in a kernel that Python calls."""
    return least_of_cold(min(first, second), least_of_inlined(second, third))


@pytest.mark.skipif(PURE, reason="no kernel is compiled in pure mode")
def test_overloaded_function_is_compiled_once_for_all_kinds_of_kernel() -> None:
    least._cache = NullCache()  # type: ignore[attr-defined]
    with install_recorder("numba:compile") as recorder:
        assert least(7, 5, 6) == 5
    functions = [event.data["dispatcher"].py_func for _, event in recorder.buffer if event.is_start]
    modules = [function.__module__ for function in functions]
    assert modules.count(__name__) == 3
    assert modules.count("numba.cpython.builtins") <= 1
