"""A heap's state as a pointer, for kernels that are called by their address.

A state is a tuple of arrays, and Numba passes it by value: seven words for each array, stored at
every call (20 ns for eleven arrays). A kernel that is called by its address (see `out_of_line`)
takes the address of the heap's record `code` instead. The record holds the addresses of kernels,
followed by a copy of the data that Numba needs for each array (address, shape, strides). The copy
never changes. Numba can compile the same source for either argument, the state or the pointer. With
the pointer, reading a field of the heap loads only those words of the copy that are used.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr

from allocsim.core.heap_table import HeapTable, load_table
from allocsim.core.records import HeapState

WORD = 8
"""Bytes of a machine word."""

ARRAYS = "arrays"
"""Name of the field of `code` that holds the copy."""

MAX_WORDS = 256
"""Words reserved for the copy: enough for a state of 36 tables of up to three dimensions."""


class HeapPointer(types.Type):
    """The Numba type of the address of a heap's record `code`."""

    def __init__(self, state: Any) -> None:
        """`state` is the Numba type of the heap's state.

        Numba writes the names of argument types into the names of functions. The name of `state`
        has several thousand characters, so the name of this type contains a digest of them instead.
        """
        digest = hashlib.sha256(str(state).encode()).hexdigest()
        super().__init__(name=f"HeapPointer({digest})")
        self.state = state
        self.instance_class = state.instance_class

    @cached_property
    def tables(self) -> list[Any]:
        """The Numba type of each table of the heap."""
        return [HeapTable(kind) if kind.layout == "C" else kind for kind in self.state.types]


@register_default(HeapPointer)
class _PointerModel(models.PrimitiveModel):
    """The pointer is an integer in machine code."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.IntType(64))


@infer_getattr
class _Fields(AttributeTemplate):
    """Gives Numba the type of `heap.name`, a table."""

    key = HeapPointer

    def generic_resolve(self, pointer: Any, name: str) -> Any:
        """Return the type of a field, or None if there is no such field."""
        state = pointer.state
        return pointer.tables[state.fields.index(name)] if name in state.fields else None


@lower_getattr_generic(HeapPointer)
def _load_field(context: Any, builder: Any, pointer: Any, value: Any, name: str) -> Any:
    """Generate code that loads an array of the state."""
    index = pointer.state.fields.index(name)
    first = _arrays_offset(pointer.state) + WORD * _first_words(pointer.state)[index]
    address = builder.add(value, value.type(first))
    return load_table(context, builder, pointer.tables[index], address)


def array_words(dimensions: int) -> int:
    """Return how many words of an array are copied: its address, its shape and its strides."""
    return 1 + 2 * dimensions


def has_arrays(state: Any) -> bool:
    """Return whether the type `state` has a record `code` that contains the copy."""
    fields = getattr(state, "fields", ())
    record = state.types[fields.index("code")] if "code" in fields else None
    return ARRAYS in getattr(getattr(record, "dtype", None), "fields", ())


def _arrays_offset(state: Any) -> int:
    """Return the offset of the copy in the record `code`, in bytes."""
    return int(state.types[state.fields.index("code")].dtype.offset(ARRAYS))


def _first_words(state: Any) -> list[int]:
    """Return, for each array of a state, where its words start in the copy."""
    return [0, *accumulate(array_words(kind.ndim) for kind in state.types)]


def save_arrays(heap: HeapState) -> None:
    """Copy the addresses, shapes and strides of the heap's arrays into its record `code`."""
    words = [word for array in heap for word in (array.ctypes.data, *array.shape, *array.strides)]
    heap.code[0][ARRAYS][: len(words)] = np.array(words, np.int64)
