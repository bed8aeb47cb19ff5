"""Folders that only their owner can enter: what is kept of customers is nobody else's on the machine."""

import os
from pathlib import Path

_OWNER_ONLY = 0o700


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner alone. One that is there stays as it is."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=_OWNER_ONLY, exist_ok=True)


def write_file(path: Path, text: str) -> None:
    """Put a file that only its owner can read in place whole, of the one that may be there."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def is_open_to_others(folder: Path) -> bool:
    """Whether other users of the machine may enter or list a folder."""
    return folder.is_dir() and bool(folder.stat().st_mode & 0o077)
