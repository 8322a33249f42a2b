"""Specifications for the renderer."""

import json

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.pictures import render


def test_texts_have_no_character_that_ends_the_renderer() -> None:
    view = {"data": {"values": [{"name": "a\x1b\x00\ud800\ufffe", "size": 1.5, "is": None}]}}
    found = render._specification(view)
    (row,) = found["data"]["values"]
    assert row == {"name": r"a\x1b\x00\ud800\ufffe", "size": 1.5, "is": None}
    json.dumps(found).encode()


def test_a_missing_renderer_is_reported_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentLacks, match=r"pip install 'allocsim\[pictures\]'"):
        render.require_renderer()
