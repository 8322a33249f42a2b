"""What a kernel raises reaches the caller through every kind of call."""

from collections.abc import Callable
from typing import Any

import pytest

from allocsim.core.call_convention import KernelCallConv
from allocsim.core.jit import PURE, cold, kernel


@kernel
def inlined(number: int) -> int:
    """Return a number; raise ValueError if it is negative."""
    if number < 0:
        raise ValueError("negative")
    return number


@cold
def not_inlined(number: int) -> int:
    """Return a number; raise ValueError if it is negative."""
    if number < 0:
        raise ValueError("negative")
    return number


@kernel
def through_inlined(number: int) -> int:
    """Call an inlined kernel."""
    return 1 + inlined(number)


@kernel
def through_both(number: int) -> int:
    """Call a kernel that calls an inlined one, and a kernel that is not inlined."""
    return through_inlined(number) + 10 * not_inlined(number - 1)


@kernel
def number_or_none(number: int) -> int | None:
    """Return a number, or None if it is 0; raise ValueError if it is negative."""
    return inlined(number) if number else None


@kernel
def through_optional(number: int) -> int:
    """Call a kernel that returns None or a number."""
    found = number_or_none(number)
    return -1 if found is None else found + 1


@pytest.mark.parametrize(
    ("caller", "number", "of_three"),
    [(through_inlined, -1, 4), (through_both, -1, 24), (through_both, 0, 24)],
)
def test_exception_of_a_callee_reaches_the_caller(
    caller: Callable[[int], int], number: int, of_three: int
) -> None:
    with pytest.raises(ValueError, match="negative"):
        caller(number)
    assert caller(3) == of_three


def test_callee_may_return_none_or_raise() -> None:
    assert [through_optional(0), through_optional(5)] == [-1, 6]
    with pytest.raises(ValueError, match="negative"):
        through_optional(-1)


@pytest.mark.skipif(PURE, reason="only compiled kernels have a calling convention")
def test_calls_of_a_kernel_use_the_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    generate, calls = KernelCallConv.call_function, list[Any]()

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return generate(*arguments, **options)

    monkeypatch.setattr(KernelCallConv, "call_function", counted)

    @kernel
    def caller(number: int) -> int:
        return 1 + inlined(number)

    assert caller(2) == 3
    assert calls
