"""Free ports, chosen once for a home and kept as long as they stay free."""

import hashlib
import json
import os
import socket
from pathlib import Path

import psutil

from dslm_studio.launch.state import Home, read_json, write_private
from dslm_studio.launch.terminal import Problem

# Below what systems hand out to outgoing connections, so that a remembered port is seldom taken by chance.
FIRST, LAST = 8100, 9900


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may see: `` (nginx, process 12)`` or nothing."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return ""


def wanted_port(option: int | None) -> int | None:
    """The web port a person asked for, by option or STUDIO_PORT."""
    text = os.environ.get("STUDIO_PORT", "").strip()
    if option is not None or not text:
        return option
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Problem(f"STUDIO_PORT is {text!r}, not a port between 1 and 65535.", "Set it to a number, or unset it for a free one.")
    return int(text)


def choose(home: Home, *, host: str = "127.0.0.1", web: int | None = None) -> tuple[int, int]:
    """The ports of web and inference. A web port that was asked for is taken or refused, never replaced."""
    kept = read_json(home.ports_file)
    if web is not None and not is_free(web, host):
        mend = "Choose another with --port, or leave it out and a free one is found."
        raise Problem(f"Port {web} on {host} is taken{holder(web)}.", mend)
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
    if isinstance(kept, int) and kept != not_this and is_free(kept, host):
        return kept
    for port in [*range(first, LAST), *range(FIRST, first)]:
        if port != not_this and is_free(port, host):
            return port
    raise Problem(f"No port between {FIRST} and {LAST} is free on {host}.", "Name one with --port.")
