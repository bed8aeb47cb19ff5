"""Runs of the pipeline in processes of their own that can be killed, without each of them importing everything anew.

One process imports the pipeline and does nothing else; each run is a fork of it.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.resources import ROOT


class Forks:
    """``run(source, environment)`` executes Python in a fork and returns its exit code, negative for a signal."""

    def __init__(self, preload: Iterable[str] = ()):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
        self._server = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__)), *preload],
            env=inherited | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, source: str, environment: Mapping[str, str]) -> int:
        """Begin a run; returns what ``wait`` takes."""
        return self._ask({"source": source, "environment": dict(environment)})

    def wait(self, run: int) -> int:
        return self._ask({"wait": run})

    def run(self, source: str, environment: Mapping[str, str]) -> int:
        return self.wait(self.start(source, environment))

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait(timeout=10)

    def _ask(self, message: dict) -> int:
        self._server.stdin.write(json.dumps(message) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def _serve() -> None:
    from pipeline.actions.rebates import propose  # noqa: F401
    from pipeline.models import retrain  # noqa: F401
    from pipeline.warehouse import migrations  # noqa: F401

    for name in sys.argv[1:]:
        __import__(name)
    for line in sys.stdin:
        message = json.loads(line)
        if "wait" in message:
            _, status = os.waitpid(message["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        elif child := os.fork():
            print(child, flush=True)
        else:
            _run(message)


def _run(message: dict) -> None:
    os.environ.update(message["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    code = 0
    try:
        exec(compile(message["source"], "<fork>", "exec"), {"__name__": "__fork__"})
    except SystemExit as exited:
        code = exited.code if isinstance(exited.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    _serve()
