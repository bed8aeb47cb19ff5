"""Speed and memory of a month; see __main__.py."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def peak_mb() -> float:
    """Memory of this process at its most. What the system says of a process that has ended begins with that of the
    process which started it."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Begin anew with what ``peak_mb`` says, where the system lets us."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@contextmanager
def result_alone() -> Iterator[TextIO]:
    """The output of this process, for its result; what libraries write there, such as DuckDB's progress, goes with the
    errors."""
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)
        yield output
