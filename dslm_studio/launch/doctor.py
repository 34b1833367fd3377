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
from dslm_studio.launch.files import read_json
from dslm_studio.launch.install import ROOT, STAMP, TOOLS, outstanding
from dslm_studio.launch.install import home as home_folder
from dslm_studio.launch.machine import Check
from dslm_studio.launch.state import Home
from engine import probes, registry

REQUIREMENTS = ("requirements.txt", "requirements-models.txt")
VERIFIED_PYTHON = "3.11"
# The stamp says that nothing is outstanding, so ./studio up alone would not look again
REINSTALL = f"Delete {STAMP} and run ./studio up: it installs the pinned versions."
NEEDS_CONVERTER = "quantize"  # the stage that uses it; it is no importable package, so the stage cannot declare it


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
        machine.check_system(),
        machine.check_python(),
        *machine.to_serve(home.folder),
        machine.check_writable(home.folder, "STUDIO_HOME"),
        machine.check_compiler(needed=not _installed("llama-cpp-python")),
        machine.check_cmake(needed=not _installed("llama-cpp-python")),
        machine.check_git(),
        check_installed(),
        check_converter(),
        *check_gpus(gpus),
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


def check_installed() -> Check:
    left = [part.key for part in outstanding(dev=False)]
    value = "complete" if not left else f"outstanding: {', '.join(left)}"
    return Check("installation", not left, value, "./studio up installs what is outstanding.")


def check_converter() -> Check:
    there = _converter_there()
    return Check("GGUF converter", there, "there" if there else f"missing from {TOOLS}", REINSTALL)


def _converter_there() -> bool:
    return (TOOLS / "convert_hf_to_gguf.py").is_file()


def check_gpus(gpus: list[dict[str, Any]]) -> list[Check]:
    """Said only where there is a GPU that the installed PyTorch cannot use."""
    if not gpus or probes.torch_has_cuda():
        return []
    mend = "Let pip find a PyTorch with CUDA, delete .venv, and start again."
    return [Check("GPU", False, f"not used: PyTorch {version('torch')} is the build without GPU support", mend, needed=False)]


def check_redis() -> Check:
    """Ask the Redis that would be used: the one REDIS_URL names, else the one that comes along, started on a socket of its own."""
    if url := programs.given("REDIS_URL"):  # never shown: it may hold a password
        answers = programs.redis_answers(url)
        value = "the one REDIS_URL names " + ("answers" if answers else "does not answer")
        return Check("Redis", answers, value, "Start it, or unset REDIS_URL to use the one that comes along.")
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
    asked, kept = ports.check(), read_json(home.ports_file)
    remembered = [port for port in (kept.get("web"), kept.get("inference")) if isinstance(port, int)]
    if asked.needed or not remembered:
        return [asked]
    taken = [port for port in remembered if ports.refusal(port)]
    value = f"{', '.join(map(str, taken))} taken; others will be chosen" if taken else f"{' and '.join(map(str, remembered))} are free"
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
        for info, missing in ((info, lacking(info)) for info in found)
    ], ""


def lacking(info: registry.StageInfo) -> list[str]:
    """What the stage needs and this machine does not have."""
    converter = ["the GGUF converter"] if info.key == NEEDS_CONVERTER and not _converter_there() else []
    return info.missing() + converter


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
        terminal.say(f"  {REINSTALL}")
    else:
        terminal.good(f"all {len(found['libraries'])} as pinned")
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
