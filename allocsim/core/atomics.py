"""Atomic loads, stores and additions of aligned 64-bit words at real addresses.

Kernels that run on several OS threads share words through these functions. In pure mode (no
compilation, see `jit.PURE`) one thread runs, and each function is a plain access.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from allocsim.core.jit import PURE, kernel
from allocsim.core.raw import load_word, store_word

ORDER = "seq_cst"
"""Memory order of an addition. On x86-64 a weaker order gives the same instruction."""

if PURE:
    load_acquire, store_release = load_word, store_word

    def fetch_add(address: int, change: int) -> int:
        """Add `change` to the word at `address`; return the word's previous value."""
        before = load_word(address)
        store_word(address, before + change)
        return before

else:
    _WORD = ir.IntType(64)

    def _pointer(builder: Any, address: Any) -> Any:
        """Turn the integer `address` into a pointer to a word."""
        return builder.inttoptr(address, _WORD.as_pointer())

    @intrinsic
    def _load(typing: Any, address: Any) -> Any:
        """Return the Numba type of `load_acquire`, and the function that generates its code."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """Generate the code of the call; return its result."""
            return builder.load_atomic(_pointer(builder, arguments[0]), "acquire", 8)

        return types.int64(types.int64), generate

    @intrinsic
    def _store(typing: Any, address: Any, value: Any) -> Any:
        """Return the Numba type of `store_release`, and the function that generates its code."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """Generate the code of the call; return its result."""
            builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "release", 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    @intrinsic
    def _add(typing: Any, address: Any, change: Any) -> Any:
        """Return the Numba type of `fetch_add`, and the function that generates its code."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """Generate the code of the call; return its result."""
            return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], ORDER)

        return types.int64(types.int64, types.int64), generate

    @kernel
    def load_acquire(address: int) -> int:
        """Return the word at `address`.

        If another thread stored the word with `store_release`, this thread also sees everything
        that the other thread had written before.
        """
        return _load(address)

    @kernel
    def store_release(address: int, value: int) -> None:
        """Write the word at `address`, after all earlier writes of this thread."""
        _store(address, value)

    @kernel
    def fetch_add(address: int, change: int) -> int:
        """Add `change` to the word at `address`; return the word's previous value."""
        return _add(address, change)
