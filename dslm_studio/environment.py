"""Settings read from the environment, typed; a value that cannot be read is said at start-up, not at the first click."""

import json
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in TRUE:
        return True
    if value.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def number(name: str, default: int, most: int | None = None) -> int:
    value = os.environ.get(name, "").strip()
    try:
        found = int(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if most is not None and found > most:
        raise ImproperlyConfigured(f"{name} must be at most {most}, not {found}.")
    return found


def words(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def recorded(file: Path, name: str) -> str:
    """The text under ``name`` in a JSON file; empty when there is none."""
    try:
        return str(json.loads(file.read_text()).get(name) or "")
    except (OSError, ValueError, AttributeError):
        return ""


def secret(name: str, file: Path) -> str:
    """The variable ``name``, else the content of ``file``, which is made with a fresh secret (mode 600) if it is not there."""
    if value := text(name):
        return value
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return file.read_text().strip()
