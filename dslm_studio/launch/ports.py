"""Free ports, chosen once for a home and kept as long as they stay free. Standard library only."""

import errno
import hashlib
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from dslm_studio.launch.files import read_json, write_private
from dslm_studio.launch.machine import Check
from dslm_studio.launch.terminal import Problem

if TYPE_CHECKING:
    from dslm_studio.launch.state import Home

# Below what systems hand out to outgoing connections, so that a remembered port is seldom taken by chance.
FIRST, LAST = 8100, 9900


def bindable(host: str) -> str:
    """The host as a server is told it: ``*`` is every address, and IPv6 may stand in brackets."""
    return "0.0.0.0" if host == "*" else host.strip("[]")


def refusal(port: int, host: str = "127.0.0.1") -> OSError | None:
    """Why a server could not listen there now, or None when it could. Port 0 asks about the host alone."""
    address = bindable(host)
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen(1)
    except OSError as error:
        return error
    except UnicodeError:  # a text that no name server could be asked for
        return socket.gaierror(socket.EAI_NONAME, "no host name")
    return None


def explained(error: OSError, port: int, host: str) -> Problem:
    """What a ``refusal`` means and what mends it."""
    if error.errno == errno.EADDRINUSE:
        return Problem(f"Port {port} on {host} is taken{holder(port)}", "Choose another with --port, or name none and a free one is found.")
    if error.errno in (errno.EACCES, errno.EPERM):
        mend = "Choose one from 1024 up with --port, and let a proxy pass on what arrives at this one."
        return Problem(f"Port {port} on {host} may not be used by this user", mend)
    mend = "With --host, name an address of this machine: 127.0.0.1 for this machine alone, 0.0.0.0 for all that reach it."
    if isinstance(error, socket.gaierror):
        return Problem(f"The host {host} is unknown ({error.strerror})", mend)
    if error.errno == errno.EADDRNOTAVAIL:
        return Problem(f"{host} is no address of this machine", mend)
    return Problem(f"A server cannot listen on {host} ({error.strerror})", mend)


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may see: `` by nginx, process 12`` or nothing."""
    try:
        import psutil
    except ImportError:  # nothing is installed yet
        return ""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return ""


def wanted_host(option: str | None = None) -> str:
    """The address to listen on, by option or STUDIO_HOST."""
    return option or os.environ.get("STUDIO_HOST", "").strip() or "127.0.0.1"


def wanted_port(option: int | None = None) -> int | None:
    """The web port a person asked for, by option or STUDIO_PORT."""
    text = os.environ.get("STUDIO_PORT", "").strip()
    if option is not None or not text:
        return option
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Problem(f"STUDIO_PORT is {text!r}, not a port between 1 and 65535.", "Set it to a number, or unset it for a free one.")
    return int(text)


def check(port: int | None = None, host: str | None = None) -> Check:
    """Whether the web server could listen where these options, or else the variables, want it to."""
    host = wanted_host(host)
    try:
        port = wanted_port(port)
        if error := refusal(port or 0, host):
            raise explained(error, port or 0, host)
    except Problem as problem:
        return Check("ports", False, problem.message, problem.mend)
    return Check("ports", True, f"{port} is free" if port else "free ones will be chosen", needed=port is not None)


def choose(home: "Home", *, host: str = "127.0.0.1", web: int | None = None) -> tuple[int, int]:
    """The ports of web and inference. A web port that was asked for is taken or refused, never replaced."""
    kept = read_json(home.ports_file)
    if web is not None and (error := refusal(web, host)):
        raise explained(error, web, host)
    first = _first(home.folder)
    asked = web is not None
    web = web or _keep_or_find(kept.get("web"), host, first, not_this=kept.get("inference"))
    inference = _keep_or_find(kept.get("inference"), "127.0.0.1", first + 1, not_this=web)
    remembered = {"web": kept.get("web", web) if asked else web, "inference": inference}
    if remembered != kept:
        write_private(home.ports_file, json.dumps(remembered))
    return web, inference


def _first(folder: Path) -> int:
    """Where the search begins: another place for every home, so that two started at once do not race for the same port."""
    return FIRST + int.from_bytes(hashlib.sha256(str(folder).encode()).digest()[:4]) % ((LAST - FIRST) // 2) * 2


def _keep_or_find(kept: object, host: str, first: int, not_this: object) -> int:
    for port in [*([kept] if isinstance(kept, int) else []), *range(first, LAST), *range(FIRST, first)]:
        if port == not_this:
            continue
        error = refusal(port, host)
        if error is None:
            return port
        if error.errno != errno.EADDRINUSE:  # the next port would fare no better
            raise explained(error, port, host)
    raise Problem(f"No port between {FIRST} and {LAST} is free on {host}.", "Name one with --port.")
