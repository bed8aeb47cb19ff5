"""What is read of the lake is what was written: manifests and files are held against their hashes before their use.

A manifest names its own partition, the files with their common hash, and carries a hash of itself. Files are hashed
once a process and partition, as long as their inode, size and time of writing stay.

``sha256`` is what others know a partition by: that of its files as first written. Where rows were erased since, that of
the files as they are now is ``files_sha256``.
"""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import LakeError

MANIFEST = "_manifest.json"
_BLOCK = 1 << 20


def seal(document: dict[str, Any], within: str) -> dict[str, Any]:
    """The document of a manifest with the name of its partition, and the hash of all that."""
    named = document | {"partition": within}
    return named | {"manifest_sha256": _of_document(named)}


def parse(folder: Path, within: str, text: str) -> dict[str, Any]:
    """The manifest of a partition; LakeError where it is not one, not this partition's, or was changed.

    Manifests written before they carried a hash of their own are taken as they are.
    """
    try:
        document = json.loads(text)
    except ValueError:
        raise damaged(folder, f"{MANIFEST} is not JSON") from None
    is_whole = (
        isinstance(document, dict)
        and isinstance(document.get("rows"), int)
        and isinstance(document.get("sha256"), str)
        and isinstance(document.get("files"), list)
        and all(isinstance(name, str) and Path(name).name == name for name in document["files"])
    )
    if not is_whole:
        raise damaged(folder, f"{MANIFEST} does not name rows, files and their hash")
    if document.get("partition", within) != within:
        raise damaged(folder, f"its {MANIFEST} is that of {document['partition']}")
    stated = document.get("manifest_sha256")
    is_of_before = stated is None and "partition" not in document
    if not is_of_before and stated != _of_document({k: v for k, v in document.items() if k != "manifest_sha256"}):
        raise damaged(folder, f"{MANIFEST} was changed")
    return document


def check(folder: Path, document: dict[str, Any]) -> None:
    """LakeError unless the partition holds the files of its manifest, as they were written, and no others."""
    try:
        present = sorted(path.name for path in folder.glob("*.parquet"))
        if foreign := [name for name in present if name not in document["files"]]:
            raise damaged(folder, f"{foreign[0]} is not a file of it")
        if missing := [name for name in document["files"] if name not in present]:
            raise damaged(folder, f"{missing[0]} is missing")
        paths = tuple(str(folder / name) for name in document["files"])
        marks = tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in map(os.stat, paths))
        if _of_files(paths, marks) != document.get("files_sha256", document["sha256"]):
            raise damaged(folder, f"{', '.join(document['files'])} is not as it was written: its sha256 differs")
    except OSError as error:
        raise damaged(folder, f"{error.strerror}") from error


def hashes(files: list[Path], known_by: str | None) -> dict[str, str]:
    """What a manifest says of its files; ``known_by``: the hash it keeps, where they were written before."""
    now = hash_files(files)
    return {"sha256": now} if known_by in (None, now) else {"sha256": str(known_by), "files_sha256": now}


def hash_files(paths: list[Path]) -> str:
    """The common sha256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def damaged(folder: Path, what: str) -> LakeError:
    """The refusal of a partition, and the way out."""
    return LakeError(
        f"lake partition {folder} is damaged: {what}; remove that folder and rate the month again: facts are extracted "
        "anew, the rest is computed"
    )


@lru_cache(maxsize=8192)
def _of_files(paths: tuple[str, ...], marks: tuple[tuple[int, ...], ...]) -> str:
    return hash_files([Path(path) for path in paths])


def _of_document(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
