"""Where a writer of the lake works, on this machine, until its partition is whole."""

import fcntl
import os
import shutil
import uuid
from pathlib import Path

from pipeline.private import make_folder


class Staging:
    """A folder of one writer under ``root``, alive as long as the writer holds the lock on the file beside it.

    A lock, not an age or a process id, tells the dead from the slow: the kernel drops it with the process, on any host
    that shares the folder.
    """

    def __init__(self, root: Path):
        make_folder(root)
        sweep(root)
        self.token = uuid.uuid4().hex
        self.folder = root / self.token
        self._lock_path = root / f"{self.token}.lock"
        self._lock = self._acquire()
        self.folder.mkdir()

    def close(self) -> None:
        _remove(self._lock_path)
        os.close(self._lock)

    def _acquire(self) -> int:
        while True:
            descriptor = os.open(self._lock_path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._lock_path.exists():  # else a sweeper took the file between its creation and the lock
                return descriptor
            os.close(descriptor)


def sweep(root: Path) -> None:
    """Remove what dead writers left under ``root``."""
    for lock_path in root.glob("*.lock"):
        try:
            descriptor = os.open(lock_path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock_path)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


def _remove(lock_path: Path) -> None:
    """The folder of a writer and then its lock file, which is what the next sweep would look for."""
    shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
    lock_path.unlink(missing_ok=True)
