"""Compiler passes for branches: their conditions are used without a call of `bool`.

Numba translates `if condition:` to a call of `bool` and a branch. For each call it infers types and
generates code. But a branch converts its condition to a bool anyway.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, ir, types
from numba.core.compiler_machinery import AnalysisPass, FunctionPass, register_pass
from numba.core.errors import TypingError
from numba.core.types.containers import BaseTuple
from numba.core.types.misc import UnicodeType
from numba.extending import lower_cast

CONDITIONS = (types.Boolean, types.Number, BaseTuple, UnicodeType, type(types.none))
"""Types of the conditions that a branch converts as Python does. For the others, Numba's conversion
differs from `bool`, or does not exist."""


@register_pass(mutates_CFG=False, analysis_only=False)
class PlainConditions(FunctionPass):
    """Replaces the condition bool(x) of each branch by x."""

    _name = "plain_conditions"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Change the branches of a kernel, before types are inferred; return True."""
        for block in state.func_ir.blocks.values():
            if isinstance(block.terminator, ir.Branch):
                _simplify(block)
        return True


@register_pass(mutates_CFG=False, analysis_only=True)
class CheckConditions(AnalysisPass):
    """Refuses a branch whose condition has another type than CONDITIONS."""

    _name = "check_conditions"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Check the branches of a kernel, after types are inferred; raise TypingError."""
        for block in state.func_ir.blocks.values():
            if isinstance(branch := block.terminator, ir.Branch):
                kind = state.typemap.get(branch.cond.name, "unknown")
                if not isinstance(kind, CONDITIONS):
                    message = f"the type of a condition is {kind}; compare the value with another"
                    raise TypingError(message, loc=branch.loc)
        return False


@lower_cast(type(types.none), types.Boolean)
def _none_is_false(*_: Any) -> Any:
    """Generate the condition None."""
    return cgutils.false_bit


def _simplify(block: Any) -> None:
    """Replace the condition of the branch at the end of `block` if it is a call of `bool`."""
    branch = block.terminator
    assigned = {each.target.name: each for each in block.find_insts(ir.Assign)}
    call = assigned.get(branch.cond.name)
    if call is None or not (isinstance(call.value, ir.Expr) and call.value.op == "call"):
        return
    function = assigned.get(call.value.func.name)
    if function and isinstance(function.value, ir.Global) and function.value.value is bool:
        branch.cond = call.value.args[0]
        block.body = [each for each in block.body if each is not call and each is not function]
