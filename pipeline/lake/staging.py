"""Where a writer of the lake works until its partition is whole."""

import fcntl
import os
import shutil
import uuid
from pathlib import Path

from pipeline.private import make_folder


class Staging:
    """Two folders of one writer under ``.staging``, alive as long as the writer holds the lock on the file beside them.

    A lock, not an age or a process id, tells the dead from the slow: the kernel drops it with the process, on any host
    that shares the folder.
    """

    def __init__(self, root: Path):
        make_folder(root)
        self._sweep(root)
        name = uuid.uuid4().hex
        self.folder, self.aside = root / name, root / f"{name}.aside"
        self._lock_path = root / f"{name}.lock"
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

    @staticmethod
    def _sweep(root: Path) -> None:
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
    """Both folders of a writer and then its lock file, which is what the next sweep would look for."""
    shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
    shutil.rmtree(lock_path.with_suffix(".aside"), ignore_errors=True)
    lock_path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    _sync(folder)


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
