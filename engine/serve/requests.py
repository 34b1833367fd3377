"""The bodies that may be sent, after OpenAI's API. What this server cannot do is refused, not passed over."""

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.serve.errors import ApiError

DEFAULT_MAX_TOKENS = 512  # a small model that never stops would else hold the queue for a whole context window


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str

    @field_validator("content", mode="before")
    @classmethod
    def _join_text_parts(cls, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in value):
            return "".join(str(part.get("text", "")) for part in value)
        return value

    @field_validator("role", mode="before")
    @classmethod
    def _developer_is_system(cls, value: Any) -> Any:
        return "system" if value == "developer" else value


class StreamOptions(BaseModel):
    include_usage: bool = False


class Options(BaseModel):
    """What chat and completions share. ``seed`` absent: another answer each time, unless ``temperature`` is 0."""

    model_config = ConfigDict(extra="ignore")

    model: str
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(DEFAULT_MAX_TOKENS, ge=1)
    stop: list[str] = Field(default_factory=list, max_length=16)
    seed: int | None = Field(None, ge=0, lt=2**32 - 1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @model_validator(mode="before")
    @classmethod
    def _refuse_and_rename(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        for name in (
            "tools",
            "functions",
            "logprobs",
            "echo",
            "suffix",
            "logit_bias",
            "presence_penalty",
            "frequency_penalty",
        ):
            if body.get(name):
                raise ValueError(f"{name} is not supported by this server")
        if (body.get("n") or 1) != 1 or (body.get("best_of") or 1) != 1:
            raise ValueError("only one answer a request is supported (n = 1)")
        form = body.get("response_format") or {"type": "text"}
        if not isinstance(form, dict) or form.get("type") != "text":
            raise ValueError("response_format other than text is not supported by this server")
        given = {name: value for name, value in body.items() if value is not None}  # null means "the default" in OpenAI's API
        if "max_completion_tokens" in given:
            given["max_tokens"] = given.pop("max_completion_tokens")
        if isinstance(given.get("stop"), str):
            given["stop"] = [given["stop"]]
        return given


class ChatRequest(Options):
    messages: list[Message] = Field(min_length=1)


class CompletionRequest(Options):
    prompt: str

    @field_validator("prompt", mode="before")
    @classmethod
    def _one_prompt(cls, value: Any) -> Any:
        return value[0] if isinstance(value, list) and len(value) == 1 else value


class EmbeddingRequest(BaseModel):
    model: str
    input: list[str] = Field(min_length=1, max_length=2048)
    encoding_format: Literal["float", "base64"] = "float"

    @field_validator("input", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


Request = TypeVar("Request", bound=BaseModel)


def parse(kind: type[Request], body: bytes) -> Request:
    """``body`` as a ``kind``. Raises ``ApiError`` naming the first field that is wrong."""
    try:
        return kind.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError(
            400, "invalid_request", f"{where}: {message}" if where else message, where=where, mend="Change this field."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "invalid_json", "The request's body is no JSON.", where="body", mend="Send a JSON object.") from error
