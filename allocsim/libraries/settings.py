"""Settings of malloc libraries, given as a part of the allocator's name.

`lib:jemalloc:dirty_decay_ms=0:narenas=1` is jemalloc with two settings. Settings follow the
library's name or path. For a library whose functions have a prefix, they follow PATH:PREFIX. A
setting takes effect through an environment variable that the library reads (see `variables`). A
program that is run with this variable uses the same settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from allocsim.errors import InputError, UnknownName
from allocsim.libraries.find import find_library
from allocsim.libraries.known_settings import FAMILIES, Family, Setting
from allocsim.libraries.names import is_path, split_prefix, split_settings
from allocsim.quantities import parse_size

SWITCH = {"0": 0, "no": 0, "off": 0, "false": 0, "1": 1, "yes": 1, "on": 1, "true": 1}
"""Words accepted for a setting that is on or off."""

MAX_FILE = 1 << 28
"""Maximum number of bytes of a library's file that are read."""


def family_of(library: str) -> str | None:
    """Return the family of a library (a key of FAMILIES), or None if it belongs to none.

    `library` is a name of KNOWN, a path, or PATH:PREFIX.
    """
    if not is_path(library):
        return library if library in FAMILIES else None
    content = content_of(library)
    return next((name for name, each in FAMILIES.items() if each.mark in content), None)


def require_settings(library: str) -> None:
    """Raise InputError if a setting in a library's name is unknown or has an invalid value.

    `library` is a name with settings, as `split_settings` expects.
    """
    name, settings = split_settings(library)
    if not settings:
        return
    family = _family(name)
    for key, text in settings.items():
        if key not in family.settings:
            raise UnknownName(f"setting of {name}", key, family.settings)
        _value(family, key, text)
        if _spelled(name, family, key) is None:
            raise InputError(
                f"the installed version of {name} has no setting '{key}'; it has: "
                f"{', '.join(available_settings(name))}"
            )


def available_settings(library: str) -> dict[str, Setting]:
    """Return the settings that the installed version of a library has, or {} if it has none.

    If the library is not installed, returns all settings of its family.
    """
    name = family_of(library)
    if name is None:
        return {}
    family = FAMILIES[name]
    return {
        key: setting
        for key, setting in family.settings.items()
        if _spelled(library, family, key) is not None
    }


def variables(library: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that give a library the settings in its name.

    If the library reads all its settings from one variable, the settings that `environment` has in
    this variable are kept.
    """
    name, settings = split_settings(library)
    if not settings:
        return {}
    family = _family(name)
    if family.own_variable is not None:
        return {
            _named(family.own_variable, _spelled(name, family, key) or key): _value(
                family, key, text
            )
            for key, text in settings.items()
        }
    pairs = [
        family.pair.format(_named(family.spelling, key), _value(family, key, text))
        for key, text in settings.items()
    ]
    variable = _variable(name, family)
    user_value = environment.get(variable)
    return {variable: family.separator.join(filter(None, (user_value, *pairs)))}


def content_of(library: str) -> bytes:
    """Return the bytes of a library's file, or b"" if the file is missing.

    `library` is a name without settings.
    """
    return _read(split_prefix(library)[0] if is_path(library) else find_library(library) or "")


def _family(library: str) -> Family:
    """Return the family of a library; raise InputError if allocsim knows none of its settings."""
    name = family_of(library)
    if name is None:
        raise InputError(f"allocsim knows no settings of {library}")
    return FAMILIES[name]


def _value(family: Family, key: str, text: str) -> str:
    """Return a value as the library expects it; raise InputError if it is invalid."""
    setting = family.settings[key]
    if setting.words:
        if text in setting.words:
            return text
        raise InputError(f"{key}={text}: expected one of {', '.join(setting.words)}")
    if setting.is_switch:
        if text.lower() in SWITCH:
            return family.switch[SWITCH[text.lower()]]
        raise InputError(f"{key}={text}: expected 0 or 1")
    number = _number(text)
    if number is None or not setting.minimum <= number <= setting.maximum:
        raise InputError(f"{key}={text}: expected {_range(setting)}")
    return str(number)


def _number(text: str) -> int | None:
    """Parse an integer or a size such as 64KiB; return None if `text` is neither."""
    if re.fullmatch(r"-?[0-9]{1,19}", text):
        return int(text)
    try:
        return parse_size(text)
    except InputError:
        return None


def _range(setting: Setting) -> str:
    """Return the valid numbers of a setting, for a message."""
    if setting.maximum == Setting.maximum:
        return f"a number of at least {setting.minimum}"
    return f"{setting.minimum} to {setting.maximum:,}"


def _spelled(library: str, family: Family, key: str) -> str | None:
    """Return the name that the installed library gives a setting, or None if it lacks the setting.

    For a library that is not installed, returns the name in the newest version.
    """
    content = _content_with_names(library)
    names = (key, *family.settings[key].earlier)
    if not content:
        return key
    return next((name for name in names if _spelling(family, name) in content), None)


def _spelling(family: Family, name: str) -> bytes:
    """Return the name of a setting as a library's file contains it: a string and a zero byte."""
    return _named(family.spelling, name).encode() + b"\0"


def _named(template: str, name: str) -> str:
    """Return a template of a Family, filled in with a setting's name."""
    return template.format(name=name, NAME=name.upper())


def _content_with_names(library: str) -> bytes:
    """Return the bytes of the file that contains the names of a library's settings, or b"".

    For glibc, this is the file of the dynamic linker, which reads the settings. It is in libc's
    directory.
    """
    if family_of(library) != "glibc":
        return content_of(library)
    path = split_prefix(library)[0] if is_path(library) else find_library(library) or ""
    return b"".join(map(_read, map(str, Path(path).parent.glob("ld-linux*.so*"))))


def _variable(library: str, family: Family) -> str:
    """Return the name of the environment variable with a library's settings.

    In a build whose functions have a prefix, the variable has a prefix too.
    """
    pattern = rb"\0(\w*" + family.variable.encode() + rb")\0"
    match = re.search(pattern, _content_with_names(library))
    return match[1].decode() if match else family.variable


@cache
def _read(path: str) -> bytes:
    """Return the bytes of a file, or b"" if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_FILE)
    except OSError:
        return b""
