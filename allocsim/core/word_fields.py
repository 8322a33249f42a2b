"""Fields of a struct at a real address: words that kernels read and write at a fixed offset.

These functions are not kernels, each of which would have to be compiled: for a call in a kernel,
Numba generates a load or a store. Python can call them too. Arguments are passed by position. As in
`raw`, nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin

from allocsim.core.raw import word_at


def getter(offset: int, mask: int = -1) -> Callable[[int], int]:
    """Return a function that returns the signed word at address + offset, ANDed with `mask`."""

    def get(address: int, /) -> int:
        """Return the field of the struct at `address`."""
        return word_at(address + offset).value & mask

    def lowered(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
        """Generate the code of a call."""
        word = builder.load(_pointer(builder, arguments[0], offset), align=1)
        return builder.and_(word, word.type(mask))

    _make_callable(get, lowered, types.int64, 1)
    return get


def setter(offset: int) -> Callable[[int, int], None]:
    """Return a function that writes the signed word `value` at address + offset."""

    def put(address: int, value: int, /) -> None:
        """Set the field of the struct at `address`."""
        word_at(address + offset).value = int(value)

    def lowered(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
        """Generate the code of a call."""
        builder.store(arguments[1], _pointer(builder, arguments[0], offset), align=1)
        return context.get_dummy_value()

    _make_callable(put, lowered, types.void, 2)
    return put


def _pointer(builder: Any, address: Any, offset: int) -> Any:
    """Generate code that gives a pointer to the word at address + offset."""
    word = ir.IntType(64)
    return builder.inttoptr(builder.add(address, word(offset)), word.as_pointer())


def _make_callable(function: Any, lowered: Any, returned: Any, words: int) -> None:
    """Let kernels call `function` with this number of words; `lowered` generates the code."""

    class Typed(ConcreteTemplate):
        """Gives Numba the types of a call."""

        key = function
        cases = (signature(returned, *[types.int64] * words),)

    infer_global(function, types.Function(Typed))
    lower_builtin(function, *[types.int64] * words)(lowered)
