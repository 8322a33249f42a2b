"""Kernels that other kernels call: they are compiled to LLVM IR only, not to machine code.

If a kernel calls a function, Numba prepares the function for calls from Python too. It optimises
the function, and makes machine code, a cache file and a wrapper that unpacks every array of the
heap's state. All of this is wasted on a kernel that is inlined. Here a called kernel is only
lowered to IR. The kernel that Python calls is linked with the IR of all the kernels that it calls,
directly or not, and the result is optimised once.

Numba keeps the code of each function in an object called a library. This module has two kinds of
library: for kernels that Python calls, and for kernels that other kernels call.
"""

from __future__ import annotations

from itertools import count
from types import CodeType
from typing import Any

from llvmlite.binding import parse_assembly
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.environment import lookup_environment
from numba.core.typed_passes import NopythonTypeInference

from allocsim.core.call_convention import KernelContext
from allocsim.core.plain_conditions import CheckConditions, PlainConditions

ENVIRONMENT = "_ZN08NumbaEnv"
"""Prefix of the global variables that hold the Python objects of a compiled function."""

COLD = ("cold", "noinline")
"""LLVM's attributes of a function that rarely runs. Code that leads to a call of such a function is
placed apart from the code that runs often."""

UNUSED_PASSES = {
    "NopythonRewrites",  # fuses expressions of whole arrays
    "DumpParforDiagnostics",
    "AnnotateTypes",  # for inspect_types
    "WithLifting",  # for blocks in object mode
    "RewriteDynamicRaises",
    "InlineInlinables",  # for the option `inline`
    "FindLiterallyCalls",
    "LiteralUnroll",
    "LiteralPropagationSubPipelinePass",
    "IRLegalization",  # for reference counts: marks where the life of each variable ends
}
"""Names of Numba's passes for features that no kernel uses. A version of Numba in which a pass has
another name runs this pass."""

NEEDED_FOR = {
    "InlineClosureLikes": ("reduce",),  # and for functions in functions
    "InlineOverloads": ("bool",),  # for the option `inline` of Numba's own functions
}
"""Names of Numba's passes that a kernel needs only if it has a function of its own, or uses one of
these functions."""

_numbers = count(1)
"""Counter that numbers the libraries in the order of their completion: callees before callers."""


class LinkedLibrary(JITCodeLibrary):
    """The code of a kernel that Python calls, and of all the kernels that it calls."""

    def add_linking_library(self, library: Any) -> None:
        """Link `library` and whatever it calls."""
        for each in (library, *getattr(library, "callees", ())):
            super().add_linking_library(each)

    def finalize(self) -> None:
        """Link callers before callees: LLVM drops a function if no caller of it is linked yet."""
        self._linking_libraries.sort(key=lambda library: -getattr(library, "number", 0))
        super().finalize()

    def _optimize_final_module(self) -> None:
        """Optimise the linked kernels. Cold kernels become internal functions of this library."""
        for function in self.get_defined_functions():
            if any(b"cold" in each for each in function.attributes):
                function.linkage = "internal"
        super()._optimize_final_module()

    def _verify_declare_only_symbols(self) -> None:
        """Fail if a called kernel was not linked: the call would jump to an invalid address."""
        super()._verify_declare_only_symbols()
        for function in self._final_module.functions:
            if function.is_declaration and function.name.startswith("_ZN"):
                raise AssertionError(f"{function.name} is not linked")

    def serialize_using_object_code(self) -> Any:
        """Return the content for the cache: the machine code, and a stub that names its functions.

        Numba would keep the IR instead of the stub, for inlining elsewhere, and parse it on every
        load. A kernel that Python calls is never inlined.
        """
        defined = [each.name for each in self.get_defined_functions()]
        stub = "".join(f'define void @"{name}"() {{ ret void }}\n' for name in defined)
        bitcode = parse_assembly(stub).as_bitcode()
        return self.name, "object", (self._get_compiled_object(), bitcode)

    def _finalize_specific(self) -> None:
        """Set the Python objects of the linked kernels, as Numba does for a cached kernel."""
        super()._finalize_specific()
        for variable in self._final_module.global_variables:
            if variable.name.startswith(ENVIRONMENT) and not variable.is_declaration:
                environment = lookup_environment(variable.name)
                if environment is not None:
                    self._codegen.set_env(variable.name, environment)


class InlinedLibrary(JITCodeLibrary):
    """The IR of a kernel that other kernels call, not linked with the IR of its own callees."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self.callees: dict[Any, None] = {}
        """The libraries of all the kernels that this one calls, directly or not."""

    @property
    def codegen(self) -> Any:
        """A code generator that sets no Python objects, as there is no code to read them."""
        return _NoCode()

    def add_linking_library(self, library: Any) -> None:
        """Record `library`, and all the libraries that it calls, as callees."""
        library._ensure_finalized()
        self.callees |= dict.fromkeys([library, *getattr(library, "callees", ())])

    def finalize(self) -> None:
        """Leave the IR unoptimised, and take the next number; all callees have smaller numbers."""
        self._raise_if_finalized()
        self.number = next(_numbers)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: there is no machine code."""
        return 0


class ColdLibrary(InlinedLibrary):
    """The IR of a kernel that LLVM must not inline, because its callers seldom call it."""

    def finalize(self) -> None:
        """Mark the function as cold, and leave its IR unoptimised."""
        for function in self.get_defined_functions():
            for attribute in COLD:
                function.add_function_attribute(attribute)
        super().finalize()


class _NoCode:
    """The code generator of a library without machine code."""

    def set_env(self, name: str, environment: Any) -> None:
        """Do nothing: there is no code to read the environment."""


class KernelFlags(Flags):
    """The flags of a kernel, equal to those of every other kernel.

    Numba compiles an overloaded function, such as an operation or `min`, once for each combination
    of argument types and flags of the caller. Of the flags in which kernels differ, only
    `forceinline` is inherited by what they call.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelFlags) and self.forceinline == other.forceinline

    def __hash__(self) -> int:
        return hash((KernelFlags, self.forceinline))


def _unneeded_passes(code: CodeType) -> set[str]:
    """Return the keys of NEEDED_FOR whose passes do nothing for a kernel with this code."""
    if any(isinstance(each, CodeType) for each in code.co_consts):
        return set()
    return {name for name, users in NEEDED_FOR.items() if not {*users} & {*code.co_names}}


class LinkedCompiler(Compiler):
    """Compiles a kernel that Python calls."""

    library_class: Any = LinkedLibrary

    def __init__(
        self, typing: Any, target: Any, library: Any, args: Any, result: Any, flags: Any, names: Any
    ) -> None:
        if library is None:
            library = self.library_class(target.codegen(), "kernel")
            library.enable_object_caching()
        context = target.subtarget()
        context.__class__ = KernelContext
        super().__init__(typing, context, library, args, result, KernelFlags(flags), names)

    def define_pipelines(self) -> list[Any]:
        """Return Numba's pipeline without the passes that do nothing for kernels."""
        (pipeline,) = super().define_pipelines()
        unused = UNUSED_PASSES | _unneeded_passes(self.state.func_id.code)
        passes = [each for each in pipeline.passes if each[0].__name__ not in unused]
        inference = [each for each, _ in passes].index(NopythonTypeInference)
        passes.insert(inference + 1, (CheckConditions, "check conditions"))
        # This is after the passes DeadBranchPrune, which look for `bool`.
        passes.insert(inference, (PlainConditions, "simplify conditions"))
        pipeline.passes = passes
        pipeline.finalize()
        return [pipeline]


class InlinedCompiler(LinkedCompiler):
    """Compiles a kernel that other kernels call."""

    library_class = InlinedLibrary


class ColdCompiler(LinkedCompiler):
    """Compiles a kernel that other kernels call, but that is not inlined."""

    library_class = ColdLibrary
