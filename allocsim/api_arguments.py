"""Checks of the arguments of the functions in `api`, and the text of a call as Python code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from allocsim.driver import Touch
from allocsim.events import Trace
from allocsim.heap.arguments import (
    checked_bytes,
    checked_choice,
    checked_flag,
    checked_optional,
    checked_seconds,
    checked_text,
)
from allocsim.text import object_repr

MAX_SEED = 1 << 62
THREADS = ["recorded", "one"]
TOUCHES = [touch.name.lower() for touch in Touch]


def names_of(call: str, argument: str, names: object) -> list[str] | None:
    """Return the names in a list or in a text with commas, or None if `names` is None."""
    if names is None:
        return None
    if isinstance(names, str):
        return names.split(",")
    try:
        several = iter(names)  # type: ignore[call-overload]
    except TypeError:
        several = [names]
    return [checked_text(call, argument, name) for name in several]


def touch_called(call: str, name: str) -> Touch:
    """Return the Touch with this name."""
    return Touch[checked_choice(call, "touch", name, TOUCHES).upper()]


def checked_conditions(call: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Conditions` that both `compare` and `explain` set, by name.

    `arguments` has the arguments of the call, by name.
    """
    return {
        "recorded": checked_choice(call, "threads", arguments["threads"], THREADS) == "recorded",
        "touch": touch_called(call, arguments["touch"]),
        "timeout": checked_seconds(call, "timeout", arguments["timeout"]),
        "limit": checked_optional(checked_bytes, call, "limit", arguments["limit"]),
        "reserve": checked_bytes(call, "reserve", arguments["reserve"]),
        "keep_settings": checked_flag(call, "keep_settings", arguments["keep_settings"]),
    }


def call_text(function: Callable[..., Any], values: Mapping[str, Any]) -> str:
    """Return a call as Python code, without the arguments that are equal to their defaults."""
    arguments = []
    for name, parameter in signature(function).parameters.items():
        value = values[name]
        if parameter.kind == parameter.VAR_KEYWORD:
            arguments += [f"{key}={object_repr(each)}" for key, each in value.items()]
        elif name in ("workload", "workloads"):
            arguments.append(_argument_text(value))
        # The texts are compared, because == between two arrays of NumPy returns an array.
        elif (text := _argument_text(value)) != _argument_text(parameter.default):
            arguments.append(f"{name}={text}")
    return f"allocsim.{function.__name__}({', '.join(arguments)})"


def _argument_text(value: object) -> str:
    """Return an argument as Python code: a trace as its name, and a tuple as a list."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_argument_text, value))}]"
    return object_repr(value.name if isinstance(value, Trace) else value)
