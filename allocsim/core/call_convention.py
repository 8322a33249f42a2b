"""Calls from one kernel to another.

A function that Numba compiles returns a status: whether it has raised an exception. After each
call, Numba generates about 30 instructions that check the status. But kernels raise exceptions only
if they have a fault, or with NUMBA_BOUNDSCHECK=1. Here, a kernel that receives an error from
another kernel returns the same error. Kernels that catch exceptions and kernels that are
generators are not supported.
"""

from __future__ import annotations

from typing import Any

from numba.core.callconv import CPUCallConv, Status, errcode_t
from numba.core.cpu import CPUContext
from numba.core.types.misc import Optional


class KernelCallConv(CPUCallConv):
    """Numba's calling convention, with less code for a call."""

    def call_function(
        self, builder: Any, callee: Any, resty: Any, argtys: Any, args: Any, attrs: Any = None
    ) -> tuple[Status, Any]:
        """Generate a call; return its status and its result."""
        if isinstance(resty, Optional) or builder.function.return_value.type != errcode_t:
            return super().call_function(builder, callee, resty, argtys, args, attrs)
        # Numba also clears the place of the result. That is not needed: the callee writes the
        # result unless it returns an error, and then the result is not used. The callee
        # writes its exception to the same pointer as this kernel would (`excinfo`).
        with builder.goto_entry_block():
            result = builder.alloca(self.get_return_type(resty).pointee)
        excinfo = self._get_excinfo_argument(builder.function)
        packed = self._get_arg_packer(argtys).as_arguments(builder, args)
        code = builder.call(callee, [result, excinfo, *packed], attrs=attrs or ())
        unused = dict.fromkeys(Status._fields)
        failed = builder.icmp_signed("!=", code, errcode_t(0))
        status = Status(**unused | {"code": code, "is_error": failed})
        return status, self.context.get_returned_value(builder, resty, builder.load(result))

    def return_status_propagate(self, builder: Any, status: Status) -> None:
        """Generate code that returns the error of a call."""
        if status.excinfoptr is None:
            builder.ret(status.code)
        else:
            super().return_status_propagate(builder, status)


class KernelContext(CPUContext):
    """The context in which Numba compiles kernels."""

    @property
    def call_conv(self) -> KernelCallConv:
        """The calling convention."""
        return KernelCallConv(self)
