"""Secrets at rest: sealed with the studio's own key, so that a copy of the database alone tells nobody's keys."""

import base64
import hashlib
from typing import Any

from django.conf import settings


def seal(text: str) -> str:
    """``text`` encrypted; empty stays empty."""
    return _box().encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str) -> str:
    """What was sealed. Raises ``ValueError`` when the studio's key has changed since."""
    from cryptography.fernet import InvalidToken

    try:
        return str(_box().decrypt(sealed.encode()).decode()) if sealed else ""
    except InvalidToken as error:
        raise ValueError("This secret was sealed with another key of the studio. Enter it again.") from error


def _box() -> Any:
    from cryptography.fernet import Fernet

    key = hashlib.sha256(b"sealed secrets of the studio" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
