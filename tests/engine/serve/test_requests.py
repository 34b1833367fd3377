"""Bodies are taken or refused with the field that is wrong."""

import json
from typing import Any

import pytest

from engine.serve.errors import ApiError
from engine.serve.requests import ChatRequest, parse

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def parsed(**more: Any) -> ChatRequest:
    return parse(ChatRequest, json.dumps(CHAT | more).encode())


@pytest.mark.parametrize("form", ["json_object", ["text"], {"type": "json_object"}, {"type": None}, 7])
def test_another_form_of_answer_than_text_is_refused_whatever_it_is(form: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        parsed(response_format=form)
    assert refusal.value.status == 400 and "response_format" in refusal.value.message


@pytest.mark.parametrize("form", [None, {}, {"type": "text"}])
def test_text_is_the_form_of_every_answer(form: Any) -> None:
    assert parsed(response_format=form).messages[0].content == "Hi"


def test_null_means_the_default_and_parts_of_text_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    found = parsed(temperature=None, stop="x", max_completion_tokens=3, messages=[{"role": "developer", "content": parts}])
    assert (found.temperature, found.stop, found.max_tokens) == (1.0, ["x"], 3)
    assert (found.messages[0].role, found.messages[0].content) == ("system", "ab")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refusal:
        parse(ChatRequest, body)
    assert refusal.value.code == "invalid_json"
