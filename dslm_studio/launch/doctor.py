"""What this machine can do, what is missing, and how to mend it. Looks; changes nothing."""

import json
import platform
import re
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from dslm_studio.launch import machine, ports, programs, terminal
from dslm_studio.launch.install import ROOT, TOOLS, outstanding
from dslm_studio.launch.install import home as home_folder
from dslm_studio.launch.machine import Check
from dslm_studio.launch.state import Home, read_json
from engine import probes, registry

REQUIREMENTS = ("requirements.txt", "requirements-models.txt")
VERIFIED_PYTHON = "3.11"


def run(*, as_json: bool) -> int:
    """Print the findings; 0 when everything needed is there, else 1."""
    found = examine(Home(home_folder()))
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        show(found)
    return 0 if found["ok"] else 1


def examine(home: Home) -> dict[str, Any]:
    """Every finding, as JSON would have it."""
    gpus = probes.gpus()
    memory, disk = probes.memory(), probes.disk(machine.existing(home.folder))
    checks = [
        machine.check_python(),
        check_memory(memory["total"]),
        machine.check_disk(home.folder, machine.DISK_TO_SERVE, "Serving"),
        machine.check_writable(home.folder, "STUDIO_HOME"),
        machine.check_compiler(needed=not _installed("llama-cpp-python")),
        machine.check_cmake(needed=not _installed("llama-cpp-python")),
        machine.check_git(),
        check_installed(),
        check_redis(),
        *check_ports(home),
    ]
    libraries = [row for name in REQUIREMENTS for row in compare(ROOT / name)]
    stages, stages_error = list_stages()
    if stages_error:
        checks.append(Check("stages", False, stages_error, "Mend the stage's file; no stage can run before."))
    return {
        "ok": all(check.ok for check in checks if check.needed) and all(row["ok"] for row in libraries),
        "installed": True,
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processor": processor(),
            "cores": probes.cores(),
            "memory_bytes": memory["total"],
            "memory_available_bytes": memory["available"],
            "disk_total_bytes": disk["total"],
            "disk_free_bytes": disk["free"],
            "gpus": gpus,
            "python": platform.python_version(),
        },
        "home": str(home.folder),
        "checks": [check.as_dict() for check in checks],
        "libraries": libraries,
        "stages": stages,
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def check_memory(total: int) -> Check:
    enough = total >= machine.MEMORY * machine.MEMORY_TOLERANCE
    return Check("memory", enough, f"{machine.size(total)} in all", machine.check_memory().mend)


def check_installed() -> Check:
    left = [part.key for part in outstanding(dev=False)]
    value = "complete" if not left else f"outstanding: {', '.join(left)}"
    return Check("installation", not left, value, "./studio up installs what is outstanding.")


def check_redis() -> Check:
    """Start the Redis that comes along, on a socket of its own, and ask it."""
    try:
        binary = programs.redis_binary()
        version = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("Redis", False, f"does not start: {error}", "Delete .venv and start again, or set REDIS_URL to a Redis server.")
    found = re.search(r"v=(\S+)", version)
    number = found.group(1) if found else "?"
    with tempfile.TemporaryDirectory(prefix="studio-doctor-") as folder:
        path = Path(folder) / "redis.sock"
        command = [str(binary), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            deadline = time.monotonic() + 10
            while server.poll() is None and time.monotonic() < deadline:
                if programs.answers_ping(path):
                    return Check("Redis", True, f"{number} starts and answers")
                time.sleep(0.05)
        finally:
            server.kill()
            output, _ = server.communicate()
    why = (output.strip().splitlines() or ["no answer"])[-1]
    return Check("Redis", False, f"{number} does not answer: {why}", "Set REDIS_URL to a Redis server.")


def check_ports(home: Home) -> list[Check]:
    """Whether the ports this home would use are free, or are its own already."""
    instance = home.read()
    if instance and home.locked() and instance.launcher.alive():
        value = f"{instance.port} and {instance.serve_port}, in use by this studio"
        return [Check("ports", True, value, needed=False)]
    kept = read_json(home.ports_file)
    host = programs.given("STUDIO_HOST") or "127.0.0.1"
    try:
        asked = ports.wanted_port(None)
    except terminal.Problem as error:
        return [Check("ports", False, error.message, error.mend)]
    if asked is not None:
        free = ports.is_free(asked, host)
        value = f"{asked} is free" if free else f"{asked} is taken{ports.holder(asked)}"
        return [Check("ports", free, value, "Set STUDIO_PORT to another, or unset it and a free one is found.")]
    remembered = [port for port in (kept.get("web"), kept.get("inference")) if isinstance(port, int)]
    taken = [port for port in remembered if not ports.is_free(port)]
    if taken:
        value = f"{', '.join(map(str, taken))} taken; others will be chosen"
    else:
        value = f"{' and '.join(map(str, remembered))} are free" if remembered else "free ones will be chosen"
    return [Check("ports", True, value, needed=False)]


def compare(file: Path) -> list[dict[str, Any]]:
    """Each pinned library beside what is installed. A local build tag (``+cpu``) counts as the same version."""
    rows = []
    for line in file.read_text().splitlines():
        found = re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line)
        if found:
            name, pinned = found.groups()
            installed = version(name)
            rows.append(
                {"name": name, "pinned": pinned, "installed": installed, "ok": bool(installed) and installed.split("+")[0] == pinned}
            )
    return rows


def version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _installed(name: str) -> bool:
    return bool(version(name))


def list_stages() -> tuple[list[dict[str, Any]], str]:
    """Every stage and what it lacks here; and the error when the registry does not load."""
    try:
        found = registry.all_stages()
    except Exception as error:  # a stage's file can fail in any way, and saying so is what this is for
        return [], f"{type(error).__name__}: {error}"
    return [
        {"key": info.key, "title": info.title, "group": info.group, "available": not missing, "missing": missing}
        for info, missing in ((info, info.missing()) for info in found)
    ], ""


def show(found: dict[str, Any]) -> None:
    """The findings for people."""
    facts = found["machine"]
    terminal.say(terminal.bold("This machine"))
    rows = {
        "system": facts["system"],
        "processor": f"{facts['processor']}, {facts['cores']} cores for this process",
        "memory": f"{machine.size(facts['memory_bytes'])}, {machine.size(facts['memory_available_bytes'])} available",
        "disk": f"{machine.size(facts['disk_free_bytes'])} free of {machine.size(facts['disk_total_bytes'])}",
        "GPUs": ", ".join(f"{gpu['name']} ({machine.size(gpu['memory_bytes'])})" for gpu in facts["gpus"]) or "none: stages run on the CPU",
        "home": found["home"],
    }
    for name, value in rows.items():
        terminal.say(f"  {name:<14} {value}")
    if not facts["python"].startswith(VERIFIED_PYTHON + "."):
        terminal.note(f"The pinned versions are checked on Python {VERIFIED_PYTHON}; this is {facts['python']}.")
    terminal.say()
    terminal.say(terminal.bold("Checks"))
    for row in found["checks"]:
        line = f"{row['name']:<20} {row['value']}"
        if row["ok"]:
            terminal.good(line)
        elif row["needed"]:
            terminal.bad(line, row["mend"])
        else:
            terminal.warn(f"{line}. {row['mend']}")
    wrong = [row for row in found["libraries"] if not row["ok"]]
    terminal.say()
    terminal.say(terminal.bold("Libraries"))
    if wrong:
        for row in wrong:
            terminal.bad(f"{row['name']:<20} {row['installed'] or 'not installed'}, pinned {row['pinned']}")
        terminal.say("  ./studio up installs the pinned versions.")
    else:
        terminal.good(f"all {len(found['libraries'])} as pinned")
    converter = "there" if TOOLS.is_dir() else "not installed"
    if (ROOT / "requirements-converter.txt").is_file():
        (terminal.good if TOOLS.is_dir() else terminal.warn)(f"GGUF converter       {converter}")
    terminal.say()
    terminal.say(terminal.bold("Stages"))
    for row in found["stages"]:
        line = f"{row['key']:<20} {row['title']}"
        if row["available"]:
            terminal.good(line)
        else:
            terminal.warn(f"{line}: needs {', '.join(row['missing'])}, not installed here")
    terminal.say()
    if found["ok"]:
        terminal.good("This machine can run DSLM Studio.")
    else:
        terminal.bad("Something is missing: see above.")
