"""One part of a floor in this process: ``python -m benchmarks.floors grade run``, with JSON on both sides.

What ``run`` loads is in its seconds, so the pipeline is imported by the other parts alone.
"""

import json
import sys
from importlib import import_module

from benchmarks import peak_mb
from benchmarks.floors import DiffersError


def main() -> None:
    name, part = sys.argv[1:]
    floor, request = import_module(f"benchmarks.floors.{name}"), json.load(sys.stdin)
    if part == "run":
        done = {"result": floor.run(request), "peak_mb": peak_mb()}
    else:
        from pathlib import Path

        from benchmarks.steps import inputs
        from pipeline.run import MEMORY

        month, settings, policy = inputs(request.pop("month"))
        settings = settings.with_memory(MEMORY.get(name, 1))
        try:
            done = getattr(floor, part)(month, settings, policy, Path(request.pop("folder")), **request)
        except DiffersError as error:
            done = {"differs": str(error)}
    json.dump(done, sys.stdout, default=str)


if __name__ == "__main__":
    main()
