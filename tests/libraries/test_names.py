"""The text that names a library, its prefix and its settings."""

from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.libraries.names import split_prefix, split_settings


def test_settings_follow_a_name_a_path_or_a_prefix() -> None:
    assert split_settings("glibc") == ("glibc", {})
    assert split_settings("glibc:a=1:b=2MiB") == ("glibc", {"a": "1", "b": "2MiB"})
    assert split_settings("/a/libx.so:a=-1") == ("/a/libx.so", {"a": "-1"})
    assert split_settings("/a/libx.so:my_:a=on") == ("/a/libx.so:my_", {"a": "on"})


def test_file_whose_name_looks_like_a_setting_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "libx.so:a=1"
    file.touch()
    assert split_settings(str(file)) == (str(file), {})
    assert split_settings(f"{file}:b=2") == (str(file), {"b": "2"})
    assert split_prefix(f"{file}:my_") == (str(file), "my_")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("glibc:arena_max", "'arena_max' is not a setting: expected KEY=VALUE"),
        ("glibc:arena_max=", "'arena_max=' is not a setting"),
        ("glibc:a=1;rm", "'a=1;rm' is not a setting"),
        ("glibc:a=1:b=2:a=3", "gives a setting twice"),
    ],
)
def test_malformed_setting_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_settings(text)
