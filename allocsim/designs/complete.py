"""Check a user's design when it is loaded, and add the default kernels.

A mistake in the design is reported here, in a message that names the file and the field. Otherwise
Numba would report it later, with a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from allocsim.core.defaults import answer_the_rest, unanswered
from allocsim.core.records import PARTS
from allocsim.designs.design import Design
from allocsim.designs.parameter import Parameter
from allocsim.errors import InputError


def complete(design: object, source: str) -> Design:
    """Return `design`, with default kernels for the operations that it omits.

    Raises InputError if `design` is not a valid Design. The message begins with `source`, which
    names the file or the installed design.
    """
    if not isinstance(design, Design):
        raise InputError(f"{source}: DESIGN is of type {type(design).__name__}, expected Design")
    for field, (holds, expected) in _FIELDS.items():
        value = getattr(design, field)
        if not holds(value):
            raise InputError(f"{source}: Design.{field} is {value!r}, expected {expected}")
    if missing := unanswered(design.state):
        raise InputError(
            f"{source}: the design '{design.name}' has no kernel for {', '.join(missing)}; "
            f"write one under @answers(operations.{missing[0]}, {design.state.__qualname__})"
        )
    _make_names_unique(design.state)
    answer_the_rest(design.state)
    return design


def _make_names_unique(state: type) -> None:
    """Prefix the names of the NamedTuples in the module of `state` with the module's name.

    Numba identifies a NamedTuple type, and the kernels compiled for that type, by the name of the
    class without its module. If the states of two designs had the same name, the second design
    would run the machine code of the first. `__qualname__` does not change, because pickles and
    cached kernels find a class by its `__qualname__`.
    """
    module = sys.modules.get(state.__module__)
    for each in (state, *vars(module).values()) if module else (state,):
        if _is_named_tuple(each) and each.__module__ == state.__module__:
            each.__name__ = f"{each.__module__}.{each.__qualname__}"


def _is_named_tuple(value: Any) -> bool:
    """Return whether `value` is a NamedTuple type."""
    return isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields")


def _is_state(value: Any) -> bool:
    """Return whether `value` is a NamedTuple type with a field `system`."""
    return isinstance(value, type) and "system" in getattr(value, "_fields", ())


def _is_optional_function(value: Any) -> bool:
    """Return whether `value` is None or callable."""
    return value is None or callable(value)


def _are_functions(value: Any) -> bool:
    """Return whether `value` is a tuple of callables."""
    return isinstance(value, tuple) and all(callable(each) for each in value)


def _are_parameters(value: Any) -> bool:
    """Return whether `value` is a dict of Parameter objects, keyed by valid names for --set."""
    return isinstance(value, dict) and all(
        isinstance(key, str) and key.isidentifier() and isinstance(each, Parameter)
        for key, each in value.items()
    )


def _are_parts(value: Any) -> bool:
    """Return whether `value` maps names of parts of the heap to strings."""
    return isinstance(value, dict) and all(
        key in (*PARTS, "metadata") and isinstance(each, str) for key, each in value.items()
    )


_OPTIONAL = (_is_optional_function, "a function or None")

_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and value.isidentifier(), "a Python identifier"),
    "state": (_is_state, "a NamedTuple type with a field 'system'"),
    "create": (callable, "a function"),
    "size_classes": _OPTIONAL,
    "classes": _OPTIONAL,
    "invariants": (_are_functions, "a tuple of functions"),
    "zeroed": (lambda value: isinstance(value, bool), "True or False"),
    "parameters": (_are_parameters, "a dict of Parameter by name"),
    "caches": _OPTIONAL,
    "native_counters": _OPTIONAL,
    "placement": (callable, "a function"),
    "instead_of_classes": (lambda value: isinstance(value, str), "a text"),
    "spans": (lambda value: isinstance(value, str) and value.isidentifier(), "one plural noun"),
    "parts": (_are_parts, f"a dict with keys among {', '.join(PARTS)}, metadata"),
}
"""For each field of Design: a check of its value, and a phrase for a valid value in messages."""
