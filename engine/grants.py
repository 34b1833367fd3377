"""Grants: signed, expiring permissions to use some models of ``engine serve``.

The studio signs, the server checks; so the server needs no database and answers for no model it was not sent to.
"""

import base64
import hashlib
import hmac
import time

from pydantic import BaseModel


class Servable(BaseModel):
    """Where a model lies. ``kind``: ``gguf-model``, ``hf-model``, ``adapter``, ``soft-prompt`` or ``embedder``.

    ``base``: the folder of an adapter's or a soft prompt's base model.
    """

    kind: str
    path: str
    base: str | None = None


class Grant(BaseModel):
    """``expires``: seconds since the epoch."""

    models: dict[str, Servable]
    expires: float


class GrantError(Exception):
    """The token is unreadable, forged or expired. ``code`` is a stable short name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def sign(secret: str, models: dict[str, Servable], ttl_seconds: float = 3600) -> str:
    """A bearer token that lets its holder use ``models`` for ``ttl_seconds``. ``ValueError`` without a secret."""
    if not secret:
        raise ValueError("A grant needs a secret: anybody could sign with an empty one.")
    body = Grant(models=models, expires=time.time() + ttl_seconds).model_dump_json().encode()
    return _b64(body) + "." + _b64(_mac(secret, body))


def check(secret: str, token: str) -> Grant:
    """The grant inside ``token``. Raises ``GrantError``."""
    try:
        body, mac = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    except ValueError as error:
        raise GrantError("token_unreadable", "The token cannot be read.") from error
    if not secret or not hmac.compare_digest(mac, _mac(secret, body)):
        raise GrantError("token_forged", "The token was not signed by this studio.")
    grant = Grant.model_validate_json(body)
    if grant.expires < time.time():
        raise GrantError("token_expired", "The token has expired.")
    return grant


def _mac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
