"""One part of a floor in this process: ``python -m benchmarks.floors grade run``, with JSON on both sides.

What ``run`` loads is in its seconds, so the pipeline is imported by the other parts alone.
"""

import json
import sys
from importlib import import_module
from typing import Any

from benchmarks import peak_mb, result_alone
from benchmarks.floors import DiffersError


def main() -> None:
    name, part = sys.argv[1:]
    with result_alone() as output:
        json.dump(done(name, part, json.load(sys.stdin)), output, default=str)


def done(name: str, part: str, request: dict[str, Any]) -> Any:
    floor = import_module(f"benchmarks.floors.{name}")
    if part == "run":
        return {"result": floor.run(request), "peak_mb": peak_mb()}
    from pathlib import Path

    from benchmarks.steps import inputs
    from pipeline.run import MEMORY

    month, settings, policy = inputs(request.pop("month"))
    settings = settings.with_memory(MEMORY.get(name, 1))
    try:
        return getattr(floor, part)(month, settings, policy, Path(request.pop("folder")), **request)
    except DiffersError as error:
        return {"differs": str(error)}


if __name__ == "__main__":
    main()
