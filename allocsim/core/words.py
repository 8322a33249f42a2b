"""Operations on 64-bit words: count, find, shift.

Words are int64, as everywhere in allocsim; a word's bit 63 is its sign. A mixture of int64 and
uint64 would become a float in a kernel. In compiled code each function is one to three
instructions.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from allocsim.core.jit import PURE, kernel

WORD_BITS = 64
"""Bits of a word."""

if PURE:
    _ALL = (1 << WORD_BITS) - 1

    def _signed(word: int) -> int:
        """Return the low 64 bits of `word` as a signed number."""
        word &= _ALL
        return word - (1 << WORD_BITS) if word >> (WORD_BITS - 1) else word

    def trailing_zeros64(word: int) -> int:
        """Return the number of 0 bits below the lowest 1 bit; 64 if all bits are 0."""
        word = int(word) & _ALL
        return (word & -word).bit_length() - 1 if word else WORD_BITS

    def leading_zeros64(word: int) -> int:
        """Return the number of 0 bits above the highest 1 bit; 64 if all bits are 0."""
        return WORD_BITS - (int(word) & _ALL).bit_length()

    def ones_count64(word: int) -> int:
        """Return the number of 1 bits."""
        return (int(word) & _ALL).bit_count()

    def shift_right(word: int, count: int) -> int:
        """Shift `word` right by 0 to 63 bits, filling with zeros."""
        return _signed((int(word) & _ALL) >> int(count))

    def shift_left(word: int, count: int) -> int:
        """Shift `word` left by 0 to 63 bits."""
        return _signed(int(word) << int(count))

else:

    def _unary(build: Any) -> Any:
        """Return an intrinsic from int64 to int64; `build(builder, word)` makes its code."""

        @intrinsic
        def call(typing: Any, word: Any) -> Any:
            """Return the signature and the code generator of the intrinsic."""

            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                """Generate the code of the call; return its result."""
                return build(builder, arguments[0])

            return types.int64(types.int64), generate

        return call

    def _binary(build: Any) -> Any:
        """Return an intrinsic of two int64; `build(builder, word, count)` makes its code."""

        @intrinsic
        def call(typing: Any, word: Any, count: Any) -> Any:
            """Return the signature and the code generator of the intrinsic."""

            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                """Generate the code of the call; return its result."""
                return build(builder, *arguments)

            return types.int64(types.int64, types.int64), generate

        return call

    _DEFINED = ir.Constant(ir.IntType(1), 0)  # the result for a word of zeros is 64
    _trailing = _unary(lambda builder, word: builder.cttz(word, _DEFINED))
    _leading = _unary(lambda builder, word: builder.ctlz(word, _DEFINED))
    _ones = _unary(lambda builder, word: builder.ctpop(word))
    _right = _binary(lambda builder, word, count: builder.lshr(word, count))
    _left = _binary(lambda builder, word, count: builder.shl(word, count))

    @kernel
    def trailing_zeros64(word: int) -> int:
        """Return the number of 0 bits below the lowest 1 bit; 64 if all bits are 0."""
        return _trailing(word)

    @kernel
    def leading_zeros64(word: int) -> int:
        """Return the number of 0 bits above the highest 1 bit; 64 if all bits are 0."""
        return _leading(word)

    @kernel
    def ones_count64(word: int) -> int:
        """Return the number of 1 bits."""
        return _ones(word)

    @kernel
    def shift_right(word: int, count: int) -> int:
        """Shift `word` right by 0 to 63 bits, filling with zeros."""
        return _right(word, count)

    @kernel
    def shift_left(word: int, count: int) -> int:
        """Shift `word` left by 0 to 63 bits."""
        return _left(word, count)
