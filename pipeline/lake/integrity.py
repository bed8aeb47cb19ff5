"""What is read of the lake is what was written: manifests and files are held against their hashes before their use.

A manifest names its own partition, the files with their common hash, and carries a hash of itself. Files in a folder
are hashed once a process and partition, as long as their inode, size and time of writing stay. Of files in an object
store the manifest has the marks (ETags) that the store gave their content when it took them: while the store says the
same, nothing is read twice.

``sha256`` is what others know a partition by: that of its files as first written. Where rows were erased since, that of
the files as they are now is ``files_sha256``.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from pipeline.errors import LakeError, is_out_of_space
from pipeline.lake.storage import Storage

MANIFEST = "_manifest.json"
_BLOCK = 1 << 23


class _Openable(Protocol):
    def __call__(self) -> BinaryIO: ...


def seal(document: dict[str, Any], within: str) -> dict[str, Any]:
    """The document of a manifest with the name of its partition, and the hash of all that."""
    named = document | {"partition": within}
    return named | {"manifest_sha256": _of_document(named)}


def parse(where: Path | str, within: str, text: str) -> dict[str, Any]:
    """The manifest of a partition; LakeError where it is not one, not this partition's, or was changed.

    Manifests written before they carried a hash of their own are taken as they are.
    """
    try:
        document = json.loads(text)
    except ValueError:
        raise damaged(where, f"{MANIFEST} is not JSON") from None
    is_whole = (
        isinstance(document, dict)
        and isinstance(document.get("rows"), int)
        and isinstance(document.get("sha256"), str)
        and isinstance(document.get("files"), list)
        and all(isinstance(name, str) and _is_within(name) for name in document["files"])
    )
    if not is_whole:
        raise damaged(where, f"{MANIFEST} does not name rows, files and their hash")
    if document.get("partition", within) != within:
        raise damaged(where, f"its {MANIFEST} is that of {document['partition']}")
    stated = document.get("manifest_sha256")
    is_of_before = stated is None and "partition" not in document
    if not is_of_before and stated != _of_document({k: v for k, v in document.items() if k != "manifest_sha256"}):
        raise damaged(where, f"{MANIFEST} was changed")
    return document


def check(storage: Storage, within: str, document: dict[str, Any], *, anew: bool = False) -> None:
    """LakeError unless the files of a manifest are there as they were written. ``anew``: by what they hold, whatever
    the store says of them."""
    where = storage.location(within)
    try:
        stored = {one.name.removeprefix(f"{within}/"): one for one in storage.found(within)}
        if missing := [name for name in document["files"] if name not in stored]:
            raise damaged(where, f"{missing[0]} is missing")
        marks = {name: stored[name].mark for name in document["files"]}
        if marks and marks == document.get("marks") and not anew:
            return
        names = tuple(f"{within}/{name}" for name in document["files"])
        seen = tuple((stored[name].size, stored[name].mark) for name in document["files"])
        if _of_files(storage, names, seen) != document.get("files_sha256", document["sha256"]):
            raise damaged(where, f"{', '.join(document['files'])} is not as it was written: its sha256 differs")
    except OSError as error:
        raise damaged(where, f"{error.strerror}") from error


def hashes(files: Iterable[_Openable], known_by: str | None) -> dict[str, str]:
    """What a manifest says of its files; ``known_by``: the hash it keeps, where they were written before."""
    now = hash_opened(files)
    return {"sha256": now} if known_by in (None, now) else {"sha256": str(known_by), "files_sha256": now}


def hash_opened(files: Iterable[_Openable]) -> str:
    """The common sha256 of files, one after the other; each is opened by calling it."""
    digest = hashlib.sha256()
    for opened in files:
        with opened() as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def read(storage: Storage, within: str) -> dict[str, Any]:
    """The manifest of a partition; FileNotFoundError where there is none, LakeError where it is damaged."""
    where = storage.location(within)
    try:
        return dict(_parsed(where, within, storage.read(f"{within}/{MANIFEST}")))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise unusable(where, "read", error) from error


def unusable(where: Path | str, done: str, error: Exception) -> LakeError:
    """The refusal of a disk."""
    reason = "no space is left on the disk" if is_out_of_space(error) else ""
    reason = reason or getattr(error, "strerror", None) or " ".join(str(error).split())
    way_out = "check GRIDGRADE_LAKE, its permissions and free space"
    return LakeError(f"lake partition {where} cannot be {done}: {reason}; {way_out}")


def damaged(where: Path | str, what: str) -> LakeError:
    """The refusal of a partition, and the way out."""
    return LakeError(
        f"lake partition {where} is damaged: {what}; remove that folder and rate the month again: facts are extracted "
        "anew, the rest is computed"
    )


@lru_cache(maxsize=8192)
def _parsed(where: Path | str, within: str, text: str) -> dict[str, Any]:
    """A manifest, of which a step asks again and again."""
    return parse(where, within, text)


@lru_cache(maxsize=8192)
def _of_files(storage: Storage, names: tuple[str, ...], seen: tuple[tuple[int, str], ...]) -> str:
    return hash_opened(partial(storage.open, name) for name in names)


def _is_within(name: str) -> bool:
    """Whether a file lies in the partition's folder, or in one of that folder's."""
    parts = PurePosixPath(name).parts
    return 1 <= len(parts) <= 2 and "/".join(parts) == name and not {"/", ".", ".."} & set(parts)


def _of_document(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
