"""Writing a partition: in a folder of this machine, then file after file and last the manifest into the lake."""

import errno
import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import LakeError, is_out_of_space
from pipeline.lake import integrity
from pipeline.lake.integrity import MANIFEST
from pipeline.lake.staging import Staging
from pipeline.lake.storage import Changed, Storage

_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
_TOKEN = re.compile(r"-[0-9a-f]{32}$")
_SAME = ("sha256", "rows", "fingerprint", "made_from")
"""What two manifests say alike whose partitions are alike."""
_LOG = logging.getLogger(__name__)


class Partition:
    """A partition being written: put ``*.parquet`` files into ``folder``, then call ``manifest`` once.

    An engine that does not write to this machine puts them under ``direct`` instead, before the manifest.
    """

    def __init__(self, folder: Path, token: str, within: str, storage: Storage):
        self.folder, self.token, self.within = folder, token, within
        self.document: dict[str, Any] = {}
        self.over: str | None = None  # the version of the manifest that the new one takes the place of
        self.replaced: tuple[str, ...] = ()  # the files of the partition whose place it takes
        self.is_direct = False
        self._storage = storage

    @property
    def direct(self) -> str:
        """Where in the lake itself files of this partition may be put, under any name: a folder, or a URL."""
        self.is_direct = True
        return str(self._storage.location(f"{self.within}/{self.token}"))

    def final_name(self, name: str) -> str:
        """What a file of ``folder`` is called in the lake; one that is written anew gets another token."""
        path = Path(name)
        return f"{_TOKEN.sub('', path.stem)}-{self.token}{path.suffix}"

    def location(self, name: str) -> str:
        """Where a file of ``folder`` will be."""
        return str(self._storage.location(f"{self.within}/{self.final_name(name)}"))

    def manifest(self, *, rows: int, sums: dict[str, Any] | None = None, **more: Any) -> None:
        """What the partition holds: its rows, exact sums by money column, and whatever else its writer has to say."""
        self.document = {"rows": rows, "sums": {name: str(value) for name, value in (sums or {}).items()}, **more}

    def withdraw(self) -> None:
        """What is to be replaced is no partition from here on, and none if this is broken off."""
        self._storage.remove(f"{self.within}/{MANIFEST}")
        self.over = None


@contextmanager
def written(storage: Storage, working: Path, within: str, *, is_fact: bool = False) -> Iterator[Partition]:
    """A partition to fill in a folder under ``working``: see ``Lake.writing``."""
    where = storage.location(within)
    try:
        staging = Staging(working)
    except OSError as error:
        raise integrity.unusable(where, "written", error) from error
    try:
        partition = Partition(staging.folder, staging.token, within, storage)
        if not is_fact:
            partition.over = storage.version(f"{within}/{MANIFEST}")
            partition.replaced = files_of(storage, within) if partition.over else ()
        yield partition
        if not (is_fact and storage.holds(f"{within}/{MANIFEST}")):
            _seal(storage, partition, is_fact=is_fact)
    except Exception as error:
        if _is_disk_fault(error, staging.folder):
            raise integrity.unusable(where, "written", error) from error
        raise
    finally:
        staging.close()


def files_of(storage: Storage, within: str) -> tuple[str, ...]:
    """What a manifest names; nothing where it is damaged."""
    try:
        return tuple(integrity.read(storage, within)["files"])
    except (LakeError, FileNotFoundError):
        return ()


def _seal(storage: Storage, partition: Partition, *, is_fact: bool) -> None:
    """Put the files, then the manifest over what its writer has seen, and remove the files it replaces."""
    within, named = partition.within, f"{partition.within}/{MANIFEST}"
    if not partition.document:
        raise LakeError(f"{storage.location(within)}: a partition needs a manifest before it is one")
    written: list[str] = []
    try:
        text = _put_files(storage, partition, written)
    except BaseException:
        with suppress(OSError, LakeError):  # what is left is nobody's
            _remove(storage, within, written)
        raise
    try:
        storage.put(named, text, partition.over)
    except Changed:
        if _read(storage, named) != text:  # else it was put after all, and only the answer was lost
            _remove(storage, within, written)
            _give_way(storage, within, json.loads(text), is_fact=is_fact)
            return
    except OSError:  # of a folder: an object store may have put it all the same
        if _read(storage, named) != text:
            _remove(storage, within, written)
        raise
    _remove(storage, within, [name for name in partition.replaced if name not in written])


def _put_files(storage: Storage, partition: Partition, written: list[str]) -> str:
    """Put the files and what lies beside them, whose names become ``written``; the text of their manifest."""
    within = partition.within
    paths = sorted(path for path in partition.folder.iterdir() if not path.name.startswith("."))
    data = [path for path in paths if path.suffix == ".parquet"]
    opened: list[Any] = [partial(path.open, "rb") for path in data]
    direct = storage.found(f"{within}/{partition.token}") if partition.is_direct else []
    for stored in direct:
        name = stored.name.removeprefix(f"{within}/")
        written.append(name)
        opened += [partial(storage.open, stored.name)] if name.endswith(".parquet") else []
    hashes = integrity.hashes(opened, partition.document.get("sha256"))
    for path in data:
        written.append(partition.final_name(path.name))
        storage.put_file(path, f"{within}/{written[-1]}")
    for path in (path for path in paths if path.suffix == ".json"):
        name = f"{within}/{path.name}"
        try:
            storage.put(name, path.read_text(encoding="utf-8"), storage.version(name))
        except Changed:
            raise _overtaken(storage, within) from None
    files = [partition.final_name(path.name) for path in data]
    files += [name for name in written if name not in files and name.endswith(".parquet")]
    document = {
        **hashes,
        **partition.document,
        "files": files,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if files and storage.keeps_marks:
        marks = {stored.name.removeprefix(f"{within}/"): stored.mark for stored in storage.found(within)}
        document["marks"] = {name: marks[name] for name in files}
    return json.dumps(integrity.seal(document, within), indent=1, sort_keys=True)


def _give_way(storage: Storage, within: str, document: dict[str, Any], *, is_fact: bool) -> None:
    """Another writer was faster. What it wrote stays, and is what a writer of facts, or of the same, wanted."""
    try:
        found = integrity.read(storage, within)
    except FileNotFoundError:
        found = {}
    if found and (is_fact or all(found.get(name) == document.get(name) for name in _SAME)):
        where = storage.location(within)
        _LOG.info("lake partition %s was written by another run meanwhile, and stays as it is", where)
        return
    raise _overtaken(storage, within)


def _overtaken(storage: Storage, within: str) -> LakeError:
    where = storage.location(within)
    return LakeError(f"lake partition {where} was written by another run meanwhile, which stays; run again")


def _read(storage: Storage, name: str) -> str | None:
    try:
        return storage.read(name)
    except FileNotFoundError:
        return None


def _remove(storage: Storage, within: str, names: Iterable[str]) -> None:
    for name in names:
        storage.remove(f"{within}/{name}")


def _is_disk_fault(error: Exception, folder: Path) -> bool:
    """Whether an error of the writer is the disk's, and not, say, its source's dropped connection."""
    if isinstance(error, OSError):
        return error.errno in _DISK_FAULTS or is_out_of_space(error)
    return type(error).__name__ == "IOException" and str(folder) in str(error)  # duckdb's
