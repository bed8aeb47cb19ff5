"""What a process takes: seconds, CPU seconds, peak memory, and how long it imports."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from benchmarks.home import ROOT, home

_IMPORT = re.compile(r"import time:\s+(\d+) \|")


def step(name: str, month: str, chosen: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a step takes in a process of its own."""
    command = ["benchmarks", "--step", name, "--month", month, "--chosen", json.dumps(chosen)]
    return _measured(month, name, command)


def floor(name: str, month: str, ours: dict[str, Any]) -> dict[str, Any]:
    """What the floor of a step takes in a process of its own, and as result how it compares with the step."""
    folder = home() / "floor"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    request = {"month": month, "folder": str(folder), "step": {key: ours[key] for key in ("began", "result")}}
    given = _part(name, "prepare", request)
    figures = _measured(month, f"{name}, floor", ["benchmarks.floors", name, "run"], given)
    figures["result"] = _part(name, "compare", request | {"made": figures["result"]})
    shutil.rmtree(folder)
    return figures


def _part(name: str, part: str, request: dict[str, Any]) -> Any:
    command = [sys.executable, "-m", "benchmarks.floors", name, part]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{request['month']} {name}: {part} of its floor failed, see above")
    return json.loads(done.stdout)


def _measured(month: str, name: str, module: list[str], request: Any = None) -> dict[str, Any]:
    began, started, served = datetime.now(UTC), time.perf_counter(), postgres_cpu_seconds()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", *module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with suppress(BrokenPipeError), process.stdin:  # of a process that failed at once
            json.dump(request, process.stdin)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        imports = _imports(errors)
    if process.returncode:
        sys.exit(f"{name} of {month} failed")
    done = json.loads(output)
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime + postgres_cpu_seconds() - served,
        "peak_mb": done["peak_mb"],
        "import_seconds": imports,
    }
    line = "{:8.1f} s {:8.1f} s CPU {:6.0f} MB {:6.1f} s imports".format(*figures.values())
    print(f"{month} {name:22} {line}", flush=True)
    rounded = {key: round(value, 2) for key, value in figures.items()}
    return rounded | {"began": began.isoformat(timespec="seconds"), "result": done["result"]}


def _imports(errors: Iterable[str]) -> float:
    """Seconds that Python spent on imports; what else the process wrote goes on."""
    microseconds = 0
    for line in errors:
        if found := _IMPORT.match(line):
            microseconds += int(found[1])
        elif not line.startswith("import time:"):
            sys.stderr.write(line)
    return microseconds / 1e6


def cpu_seconds() -> float:
    """Of all processes that have ended, and of PostgreSQL."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + postgres_cpu_seconds()


def postgres_cpu_seconds() -> float:
    """Of the embedded server and all sessions it has had; 0 where it does not run."""
    import psutil

    try:
        return tree_cpu_seconds(int((home() / "postgres/data/postmaster.pid").read_text().split()[0]))
    except (OSError, psutil.NoSuchProcess):
        return 0.0


def tree_cpu_seconds(pid: int | None = None) -> float:
    """Of a process (None: this one), of those it started and has waited for, and of those that run."""
    import psutil

    process = psutil.Process(pid)
    running, seconds = process.children(recursive=True), sum(process.cpu_times()[:4])
    for each in running:
        with suppress(psutil.NoSuchProcess):
            seconds += sum(each.cpu_times()[:2])
    return seconds
