"""Which addresses may be reached, and that nothing gets round the check: names, redirects, a name that changes its mind."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from engine.addresses import AddressRefused, Reach, check_url, refusal
from engine.endpoint import Endpoint, EndpointError, chatting


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("2606:4700::1111", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("192.168.1.4", False, True),
        ("fd12::4", False, True),
        ("100.64.0.9", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_addresses_are_public_private_or_never_asked(address: str, public: bool, private: bool) -> None:
    assert (not refusal(address, "public"), not refusal(address, "private"), refusal(address, "any")) == (public, private, "")


@pytest.mark.parametrize("url", ["ftp://example.org", "file:///etc/passwd", "//example.org", "http://", "http://[oops", "http://a:99999/"])
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, "private")


@pytest.fixture
def redirecting() -> Iterator[str]:
    """A server that sends whoever asks on to the address where clouds keep their machines' secrets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/v1"
        server.shutdown()


def ask(url: str, reach: Reach) -> EndpointError:
    async def once() -> None:
        async with chatting(Endpoint(url, "key", "m", reach=reach), seconds=5) as say:
            await say([{"role": "user", "content": "Hello"}])

    with pytest.raises(EndpointError) as caught:
        asyncio.run(once())
    return caught.value


def test_a_redirect_is_checked_as_well(redirecting: str) -> None:
    error = ask(redirecting, "private")
    assert error.code == "address" and "169.254.169.254" in error.message


def test_a_private_server_is_not_asked_without_leave(redirecting: str) -> None:
    assert ask(redirecting, "public").code == "address"


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch, redirecting: str) -> None:
    """Registered while the name led somewhere public, asked when it leads inside."""
    answers = iter(["93.184.216.34", "169.254.169.254"])

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    check_url("http://models.example.org/v1", "public")
    assert ask("http://models.example.org/v1", "public").code == "address"
