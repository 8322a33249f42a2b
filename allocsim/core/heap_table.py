"""Tables that kernels read through the pointer to a heap (see `heap_pointer`).

To Numba, such a table is an array, and a kernel can use it like any other array, except that a
variable cannot hold such a table on one path and an ordinary array on another. The most frequent
steps have code of their own: loading a table, reading and writing an item, and `len`. To read
`heap.table[0]`, Numba would generate 62 instructions, nearly all of which LLVM would remove again.
This module generates 18.
"""

from __future__ import annotations

import hashlib
import operator
from functools import reduce
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.types.containers import BaseTuple
from numba.core.types.misc import CPointer
from numba.extending import lower_builtin
from numba.np import arrayobj


class HeapTable(types.Array):
    """The Numba type of a table that is read through a pointer."""

    def __init__(self, array: Any) -> None:
        """`array` is the Numba type of the table in the heap's state."""
        # The name is short, like that of a HeapPointer.
        digest = hashlib.sha256(str(array).encode()).hexdigest()
        super().__init__(
            *(array.dtype, array.ndim, array.layout, not array.mutable),
            name=f"HeapTable({digest})",
            aligned=array.aligned,
        )

    @property
    def mangling_args(self) -> tuple[str, tuple[()]]:
        """The part that this type adds to the names of functions."""
        return self.name, ()


register_default(HeapTable)(models.ArrayModel)


def load_table(context: Any, builder: Any, kind: HeapTable, address: Any) -> Any:
    """Generate code that loads a table; its address, shape and strides are at `address`."""
    word = ir.IntType(64)
    words = builder.inttoptr(address, word.as_pointer())

    def load(index: int) -> Any:
        """Generate a load of a word that never changes."""
        loaded = builder.load(builder.gep(words, [word(index)]))
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    item: Any = kind.dtype
    length, size = kind.ndim, context.get_constant(types.intp, item.bitwidth // 8)
    shape = [load(1 + axis) for axis in range(length)]
    strides = [load(1 + length + axis) for axis in range(length)]
    fields = {
        "nitems": reduce(builder.mul, shape),
        "itemsize": size,
        "data": builder.inttoptr(load(0), context.get_value_type(CPointer(kind.dtype))),
        "shape": cgutils.pack_array(builder, shape),
        "strides": cgutils.pack_array(builder, strides),
    }
    model, table = context.data_model_manager[kind], ir.Constant(context.get_value_type(kind), None)
    for name, value in fields.items():
        table = model.set(builder, table, value, name)
    return table


@lower_builtin(len, HeapTable)
def _length(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
    """Generate the code of `len(table)`."""
    return _field(context, builder, called.args[0], arguments[0], "shape", 0)


@lower_builtin(operator.getitem, HeapTable, types.Integer)
def _read_row(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
    """Generate the code of `table[row]`."""
    kind, index = called.args
    if kind.ndim > 1:
        return arrayobj.getitem_arraynd_intp(context, builder, called, arguments)
    place = _place(context, builder, kind, arguments[0], [index], arguments[1:])
    return arrayobj.load_item(context, builder, kind, place)


@lower_builtin(operator.getitem, HeapTable, BaseTuple)
def _read_item(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
    """Generate the code of `table[row, column]`."""
    kind, index = called.args
    if len(index) < kind.ndim or not all(isinstance(each, types.Integer) for each in index):
        return arrayobj.getitem_array_tuple(context, builder, called, arguments)
    indices = cgutils.unpack_tuple(builder, arguments[1])
    place = _place(context, builder, kind, arguments[0], index, indices)
    return arrayobj.load_item(context, builder, kind, place)


@lower_builtin(operator.setitem, HeapTable, types.Integer, types.Number)
def _write_row(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
    """Generate the code of `table[row] = number`."""
    kind, index, number = called.args
    if kind.ndim > 1:
        return arrayobj.setitem_array(context, builder, called, arguments)
    place = _place(context, builder, kind, arguments[0], [index], arguments[1:2])
    item = context.cast(builder, arguments[2], number, kind.dtype)
    return arrayobj.store_item(context, builder, kind, item, place)


def _place(
    context: Any, builder: Any, kind: HeapTable, table: Any, index_kinds: Any, indices: Any
) -> Any:
    """Generate code that gives the address of an item."""
    position = None
    for axis, (index_kind, index) in enumerate(zip(index_kinds, indices, strict=True)):
        length = _field(context, builder, kind, table, "shape", axis)
        if not (isinstance(index, ir.Constant) and index.constant >= 0):
            index = arrayobj.fix_integer_index(context, builder, index_kind, index, length)
        if context.enable_boundscheck:  # NUMBA_BOUNDSCHECK=1
            cgutils.do_boundscheck(context, builder, index, length, axis)
        position = index if position is None else builder.add(builder.mul(position, length), index)
    return builder.gep(_field(context, builder, kind, table, "data"), [position])


def _field(context: Any, builder: Any, kind: HeapTable, table: Any, name: str, *axis: int) -> Any:
    """Generate code that gives a field of Numba's structure of an array, or one item of it."""
    position = context.data_model_manager[kind].get_field_position(name)
    return builder.extract_value(table, [position, *axis])
