"""Two hundred megabytes sent to the real web server: refused in words, and never held in its memory."""

import http.client
import json
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from dslm_studio.launch.state import Instance
from tests.launch.conftest import Launcher, end, is_well, serving

MB = 2**20
SIZE = 200 * MB
GROWTH = 100 * MB  # what the web server may need for it
BOUNDARY = "----what-stands-between-the-parts"
LINE = b"Two hundred megabytes of the same sentence, and not a word more.\n"


class Browser:
    """What a signed-in person's browser keeps and sends: cookies, and the token against forged requests."""

    def __init__(self, studio: Instance, link: str) -> None:
        self.studio, self.jar = studio, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.get(link)
        self.post(link)

    def get(self, url: str) -> str:
        with self.opener.open(url, timeout=30) as answer:
            return str(answer.geturl())

    def post(self, url: str, **fields: str) -> str:
        """Send a form; the address of the page that it leads to."""
        data = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": self.cookies["csrftoken"]}).encode()
        with self.opener.open(url, data, timeout=30) as answer:
            return str(answer.geturl())

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.jar}

    def send(self, path: str, body: Iterator[bytes], size: int) -> tuple[int, str]:
        """Status and text of the answer to a multipart body of ``size`` bytes, sent as it is made."""
        connection = http.client.HTTPConnection("127.0.0.1", self.studio.port, timeout=120)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(size),
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "X-CSRFToken": self.cookies["csrftoken"],
        }
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


def part(disposition: str, size: int) -> tuple[Iterator[bytes], int]:
    """A multipart body with one part of ``size`` bytes of text, in pieces, and its length in bytes."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/plain\r\n\r\n".encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    piece = LINE * (MB // len(LINE))

    def pieces() -> Iterator[bytes]:
        yield head
        left = size
        while left:
            yield piece[:left]
            left -= min(left, len(piece))
        yield tail

    return pieces(), len(head) + size + len(tail)


def peak(process: psutil.Process) -> int:
    """The most memory that it ever held, in bytes."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found.group(1)) * 1024


@pytest.mark.slow
def test_a_body_of_200_megabytes_is_refused_in_words_and_not_held_in_memory(tmp_path: Path, up: Callable[..., Launcher]) -> None:
    home = tmp_path / "home"
    launcher = up(home)
    studio = serving(launcher, home)
    assert launcher.stdout is not None
    link = next(line.split()[-1] for line in launcher.stdout if "Sign in" in line)
    browser = Browser(studio, link)
    browser.post(f"{studio.url}/new/", name="Large files")
    project = "/p/large-files/"
    web = psutil.Process(studio.children["web"].pid)
    before = web.memory_info().rss

    status, text = browser.send(f"{project}documents/upload/", *part('name="file"; filename="large.txt"', SIZE))
    assert status == 200, text[:500]
    refusal = json.loads(text)
    assert not refusal["ok"]
    assert "large.txt" in refusal["message"] and "100 MB" in refusal["message"] and refusal["mend"]
    assert peak(web) - before < GROWTH

    status, text = browser.send(f"{project}documents/add/", *part('name="text"', SIZE))
    assert status == 400 and f"more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // MB} MB of text" in text
    assert peak(web) - before < GROWTH
    assert list((home / "uploads").iterdir()) == [], "what was refused is gone from the disk"

    status, text = browser.send(f"{project}documents/upload/", *part('name="file"; filename="small.txt"', 1000))
    assert status == 200 and json.loads(text)["ok"]
    assert is_well(studio) and web.is_running()
    end(launcher)
