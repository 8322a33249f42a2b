"""Calls from a kernel to a C function by its address.

Above `core.jit`, below `library`. Compiled, each is one indirect call; pure, it goes through
ctypes. Its one rule: arguments and results are 64-bit integers, as malloc's family takes them.
"""

from __future__ import annotations

import ctypes
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from allocsim.core.jit import PURE, kernel

_INT = ctypes.c_int64

if PURE:

    def call_with_one(function: int, first: int) -> int:
        """function(first)."""
        return int(ctypes.CFUNCTYPE(_INT, _INT)(int(function))(int(first)))

    def call_with_two(function: int, first: int, second: int) -> int:
        """function(first, second)."""
        call = ctypes.CFUNCTYPE(_INT, _INT, _INT)(int(function))
        return int(call(int(first), int(second)))

    def call_with_four(function: int, first: int, second: int, third: int, fourth: int) -> int:
        """function(first, second, third, fourth)."""
        call = ctypes.CFUNCTYPE(_INT, _INT, _INT, _INT, _INT)(int(function))
        return int(call(int(first), int(second), int(third), int(fourth)))

else:
    _WORD = ir.IntType(64)

    def _caller(count: int) -> Any:
        """The code of a call with `count` arguments."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """The instructions."""
            function = ir.FunctionType(_WORD, [_WORD] * count)
            pointer = builder.inttoptr(arguments[0], ir.PointerType(function))
            return builder.call(pointer, arguments[1:])

        return generate

    @intrinsic
    def _call_with_one(typing: Any, function: Any, first: Any) -> Any:
        return types.int64(types.int64, types.int64), _caller(1)

    @intrinsic
    def _call_with_two(typing: Any, function: Any, first: Any, second: Any) -> Any:
        return types.int64(types.int64, types.int64, types.int64), _caller(2)

    @intrinsic
    def _call_with_four(
        typing: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any
    ) -> Any:
        return types.int64(*[types.int64] * 5), _caller(4)

    @kernel
    def call_with_one(function: int, first: int) -> int:
        """function(first)."""
        return _call_with_one(function, first)

    @kernel
    def call_with_two(function: int, first: int, second: int) -> int:
        """function(first, second)."""
        return _call_with_two(function, first, second)

    @kernel
    def call_with_four(function: int, first: int, second: int, third: int, fourth: int) -> int:
        """function(first, second, third, fourth)."""
        return _call_with_four(function, first, second, third, fourth)
