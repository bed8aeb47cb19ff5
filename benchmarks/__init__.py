"""Speed and memory of a month; see __main__.py."""

import resource
import sys
from pathlib import Path


def peak_mb() -> float:
    """Memory of this process at its most. What the system says of a process that has ended begins with that of the
    process which started it."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
