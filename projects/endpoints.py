"""What is done to endpoints: other servers whose models a project may ask."""

from typing import Any

from django.db import IntegrityError, transaction

from engine.addresses import AddressRefused, Reach, check_url
from projects import audit
from projects.models import Endpoint, Project, User
from projects.sealing import seal, unseal

FIELDS = ("name", "url", "model", "allow_private", "price_in", "price_out")


class EndpointError(Exception):
    """An endpoint cannot be as asked. ``fields`` maps a field to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


def endpoint_reach(endpoint: Endpoint) -> Reach:
    """Which addresses its host may have."""
    return "private" if endpoint.allow_private else "public"


def endpoint_key(endpoint: Endpoint) -> str:
    """The key that its server asks for; for a run's environment alone, never for a page. Raises ``EndpointError``."""
    try:
        return unseal(endpoint.api_key_encrypted)
    except ValueError as error:
        raise EndpointError(f"The key of {endpoint.name} cannot be read any more. Enter it again.") from error


def endpoint_create(*, project: Project, by: User, key: str, **fields: Any) -> Endpoint:
    """Register a server. Raises ``EndpointError`` for an address that may not be asked or a name that is taken."""
    _check(fields)
    endpoint = Endpoint(project=project, api_key_encrypted=seal(key), **_cleaned(fields))
    _save(endpoint)
    audit.record(project, by, "endpoint.create", endpoint.name, after=_told(endpoint))
    return endpoint


def endpoint_update(*, endpoint: Endpoint, by: User, key: str, **fields: Any) -> Endpoint:
    """Change a server; an empty ``key`` keeps the one there is, unless the host changes. Raises ``EndpointError``."""
    _check(fields)
    stored = Endpoint.objects.get(pk=endpoint.pk)  # a checked form may have written into ``endpoint``
    before, host = _told(stored), stored.host
    for name, value in _cleaned(fields).items():
        setattr(stored, name, value)
    if not key and stored.api_key_encrypted and stored.host != host:
        # else whoever may change the address could have the key sent to a host of their own
        raise EndpointError("Enter the key again.", {"key": f"The address leads to another host now, so enter the key for {stored.host}."})
    if key:
        stored.api_key_encrypted = seal(key)
    _save(stored)
    audit.record(stored.project, by, "endpoint.update", stored.name, before=before, after={**_told(stored), "new key": bool(key)})
    return stored


def endpoint_delete(*, endpoint: Endpoint, by: User) -> None:
    """Take a server out of the project. What was made with it stays."""
    audit.record(endpoint.project, by, "endpoint.delete", endpoint.name, before=_told(endpoint))
    endpoint.delete()


def _check(fields: dict[str, Any]) -> None:
    try:
        check_url(fields["url"], "private" if fields.get("allow_private") else "public")
    except AddressRefused as error:
        raise EndpointError(str(error), {"url": str(error)}) from error


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items() if name in FIELDS}


def _save(endpoint: Endpoint) -> None:
    try:
        with transaction.atomic():
            endpoint.save()
    except IntegrityError as error:
        raise EndpointError("The name is taken.", {"name": "There is an endpoint of this name already."}) from error


def _told(endpoint: Endpoint) -> dict[str, Any]:
    """What the log may tell: never the key."""
    return {name: getattr(endpoint, name) for name in FIELDS}
