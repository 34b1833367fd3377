"""Which addresses a server named by a person may be reached at, so that nobody makes the studio ask what they could not. Light."""

import asyncio
import ipaddress
import socket
from typing import Any, Literal
from urllib.parse import urlsplit

Reach = Literal["any", "public", "private"]  # of the studio's own making; only public ones; those of the own network as well

# where clouds tell a machine its secrets, beside 169.254.169.254, which is link-local
METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """The address is none that may be asked; the message says why."""


def check_url(url: str, reach: Reach) -> None:
    """Raise ``AddressRefused`` unless ``url`` is http(s), without a password in it, and every address of its host may be reached.

    A name that cannot be resolved is refused too.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AddressRefused("This is no web address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefused("The address has to begin with http:// or https://, followed by a host.")
    if parts.username or parts.password:
        raise AddressRefused("Leave the name and password out of the address; the key has its own field.")
    reachable(parts.hostname, port, reach)


def reachable(host: str, port: int, reach: Reach) -> str:
    """The address to connect to: the first of ``host``. Raises ``AddressRefused`` if any of them may not be reached."""
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"The host {host} cannot be found.") from error
    for address in found:
        if why := refusal(address, reach):
            raise AddressRefused(f"{host} leads to {address}, {why}.")
    return min(found, key=lambda address: ":" in address)  # IPv4 where there is one: not every network carries IPv6


def refusal(address: str, reach: Reach) -> str:
    """Why ``address`` (an IP) may not be reached; empty where it may."""
    if reach == "any":
        return ""
    ip = _meant(address)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in METADATA or (ip.is_reserved and not ip.is_private):
        return "which is never asked"
    if not ip.is_global and reach != "private":
        return "which is inside your own network; an owner can allow that"
    return ""


def _meant(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def guarded_transport(reach: Reach, **settings: Any) -> Any:
    """An asynchronous transport for the `openai` client that connects only to what ``reachable`` allows.

    It connects to the very address that was checked, so that a name which changes its mind between the two gains nothing, and it
    checks each redirect as well, since that is a further request.
    """
    import httpx2  # what `openai` is built on

    if reach == "any":
        return httpx2.AsyncHTTPTransport(**settings)

    class Guarded(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            url = request.url
            port = url.port or (443 if url.scheme == "https" else 80)
            address = await asyncio.to_thread(reachable, url.host, port, reach)
            # the certificate is that of the name, and so is the Host header, which stands already
            extensions = {**request.extensions, "sni_hostname": url.host}
            there = url.copy_with(host=address)
            onwards = httpx2.Request(request.method, there, headers=request.headers, stream=request.stream, extensions=extensions)
            return await super().handle_async_request(onwards)

    return Guarded(**settings)
