"""The lake: immutable folders of Parquet, one a table and month, each moved into place whole with its manifest.

    <lake>/bills/recorded_month=2026-10/part-0.parquet              facts: written once, never changed
    <lake>/bills/recorded_month=2026-10/_manifest.json
    <lake>/customers/snapshot_month=2026-10/...
    <lake>/quarantine/bills/recorded_month=2026-10/...              rows of the partition above that readers leave out
    <lake>/indices/rating_month=2026-10/basis=as_known_then/...     derived: replaced by the next run of its month

A folder without a manifest is not a partition. Writers work in ``<lake>/.staging`` and rename, so a reader never sees
half of one, and a writer that dies leaves nothing but a folder in staging, which the next writer removes.
"""

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import LakeError, MonthError, is_out_of_space
from pipeline.lake import integrity
from pipeline.lake.integrity import MANIFEST
from pipeline.lake.staging import Staging, sync_file, sync_folder
from pipeline.month import RatingMonth
from pipeline.private import make_folder

QUARANTINE = "quarantine/"
_BEGINNING = "_beginning"
_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def fact_key(table: str) -> str:
    """The partition key of a source table: customers are snapshots, everything else is kept by recorded month."""
    return "snapshot_month" if table.removeprefix(QUARANTINE) == "customers" else "recorded_month"


@dataclass
class Partition:
    """A partition being written: put ``*.parquet`` files into ``folder``, then call ``manifest`` once."""

    folder: Path
    document: dict[str, Any] = field(default_factory=dict)

    def manifest(self, *, rows: int, sums: dict[str, Any] | None = None, **more: Any) -> None:
        """What the partition holds: its rows, exact sums by money column, and whatever else its writer has to say."""
        self.document = {"rows": rows, "sums": {name: str(value) for name, value in (sums or {}).items()}, **more}


class Lake:
    """The partitions under ``root``. Partition keys are given by name: ``recorded_month=month``, ``basis="..."``."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def path(self, table: str, **keys: Any) -> Path:
        """The folder of a partition, there or not; with no keys the folder of the table."""
        ordered = sorted(keys.items(), key=lambda item: (not item[0].endswith("_month"), item[0]))
        return self.root.joinpath(*table.split("/"), *(f"{name}={value}" for name, value in ordered))

    def has(self, table: str, **keys: Any) -> bool:
        return (self.path(table, **keys) / MANIFEST).is_file()

    def is_validated(self, table: str, month: RatingMonth) -> bool:
        """Whether the lake has a source table's partition of a month, and validation has seen it."""
        return all(self.has(name, **{fact_key(table): month}) for name in (table, QUARANTINE + table))

    def manifest(self, table: str, **keys: Any) -> dict[str, Any]:
        """The manifest of a partition; LakeError when there is no such partition, or it is damaged."""
        folder = self.path(table, **keys)
        try:
            stat = (folder / MANIFEST).stat()
            return dict(_parsed(folder, self._within(folder), stat.st_ino, stat.st_mtime_ns))
        except FileNotFoundError:
            raise LakeError(f"the lake has no partition {folder}: run the step that writes {table} first") from None
        except (OSError, ValueError) as error:
            raise _lake_error(folder, "read", error) from error

    def files(self, table: str, **keys: Any) -> list[str]:
        """The Parquet files of a partition in name order; LakeError when there is none, or it is damaged."""
        folder, manifest = self.path(table, **keys), self.manifest(table, **keys)
        integrity.check(folder, manifest)
        return [str(folder / name) for name in manifest["files"]]

    def facts(self, table: str) -> list[RatingMonth]:
        """The months a source table has partitions of, in chronological order."""
        prefix = fact_key(table) + "="
        months = []
        for folder in self.path(table).glob(prefix + "*"):
            try:
                month = RatingMonth.parse(folder.name.removeprefix(prefix))
            except MonthError:
                continue
            if (folder / MANIFEST).is_file():
                months.append(month)
        return sorted(months)

    def derived(self) -> Iterator[tuple[str, RatingMonth, str]]:
        """Table, rating month and basis of every derived partition, by table and month."""
        for manifest in sorted(self.root.glob(f"*/rating_month=*/basis=*/{MANIFEST}")):
            table, month, basis = (part.rpartition("=")[2] for part in manifest.parts[-4:-1])
            yield table, RatingMonth.parse(month), basis

    def copies(self, table: str) -> list[RatingMonth]:
        """The months of a table that is kept by rating month alone, whichever basis readers see."""
        found = self.path(table).glob(f"rating_month=*/{MANIFEST}")
        return sorted(RatingMonth.parse(manifest.parent.name.removeprefix("rating_month=")) for manifest in found)

    def beginning(self, table: str) -> RatingMonth | None:
        """The first month that the lake has, or ever had, of a source table."""
        months = self.facts(table)[:1]
        with suppress(FileNotFoundError):
            months.append(RatingMonth.parse((self.path(table) / _BEGINNING).read_text(encoding="utf-8").strip()))
        return min(months, default=None)

    def remember_beginning(self, table: str) -> None:
        """Keep what ``beginning`` says, before the oldest partitions are removed."""
        written = self.path(table) / f"{_BEGINNING}.{uuid.uuid4().hex}"
        written.write_text(f"{self.beginning(table)}\n", encoding="utf-8")
        written.rename(self.path(table) / _BEGINNING)

    def remove(self, table: str, **keys: Any) -> None:
        """Remove a partition; without its manifest it is none any more, wherever this is broken off."""
        folder = self.path(table, **keys)
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def fact_files(self, table: str, months: Iterable[RatingMonth]) -> list[tuple[str, str | None]]:
        """For those of ``months`` that are there, in chronological order: the facts, and the rows to leave out of them.

        The second file holds ``file_row_number`` of the first's rows in quarantine; it is None when no row is. A
        partition that was never validated is a LakeError.
        """
        key = fact_key(table)
        pairs = []
        for month in sorted(months):
            if self.has(table, **{key: month}):
                [facts] = self.files(table, **{key: month})
                quarantined = self.manifest(QUARANTINE + table, **{key: month})["rows"] > 0
                pairs.append((facts, self.files(QUARANTINE + table, **{key: month})[0] if quarantined else None))
        return pairs

    @contextmanager
    def writing(self, table: str, **keys: Any) -> Iterator[Partition]:
        """A partition to fill; moved into place on a clean exit, removed on an error.

        Facts stand as first written: where another writer was faster, its partition stays. A derived partition, and a
        quarantine, replaces what was there. LakeError where the lake cannot be written.
        """
        is_fact = fact_key(table) in keys and not table.startswith(QUARANTINE)
        with self._written(self.path(table, **keys), replace=not is_fact) as partition:
            yield partition

    @contextmanager
    def rewriting(self, folder: Path) -> Iterator[Partition]:
        """The partition in ``folder`` anew, to leave rows out: it takes the place of what is there.

        What was made from it names it by the hash it was first written with. Pass that to ``manifest`` as ``sha256``:
        it stays, and the hash of the files that are there now stands beside it.
        """
        with self._written(folder, replace=True) as partition:
            yield partition

    @contextmanager
    def _written(self, target: Path, *, replace: bool) -> Iterator[Partition]:
        try:
            staging = Staging(self.root / ".staging")
        except OSError as error:
            raise _lake_error(target, "written", error) from error
        try:
            partition = Partition(staging.folder)
            yield partition
            self._seal(partition, self._within(target))
            self._move_into_place(staging, target, replace=replace)
        except Exception as error:
            if _is_disk_fault(error, staging.folder):
                raise _lake_error(target, "written", error) from error
            raise
        finally:
            staging.close()

    def partitions(self) -> Iterator[Path]:
        """The folder of every partition, facts, quarantine and derived, in name order."""
        for manifest in sorted(self.root.glob(f"**/{MANIFEST}")):
            if ".staging" not in manifest.parts:
                yield manifest.parent

    def foreign(self) -> Iterator[Path]:
        """Folders with Parquet files or of a partition's name, and no manifest: no reader looks at them, and no writer
        leaves them."""
        named = (self.root.glob(f"**/{key}=*/") for key in ("recorded_month", "snapshot_month", "basis"))
        holding = {path.parent for path in self.root.glob("**/*.parquet")}
        for folder in sorted(holding.union(*named)):
            if ".staging" not in folder.parts and not (folder / MANIFEST).is_file():
                yield folder

    def check(self, folder: Path) -> None:
        """LakeError unless what the folder of a partition holds is what was written."""
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise integrity.damaged(folder, f"{MANIFEST} cannot be read: {error}") from None
        integrity.check(folder, integrity.parse(folder, self._within(folder), text))

    def _within(self, folder: Path) -> str:
        return folder.relative_to(self.root).as_posix()

    @staticmethod
    def _seal(partition: Partition, within: str) -> None:
        if not partition.document:
            raise LakeError(f"{partition.folder}: a partition needs a manifest before it can be moved into place")
        files = sorted(partition.folder.glob("*.parquet"))
        for path in files:
            sync_file(path)
        document = {
            **integrity.hashes(files, partition.document.get("sha256")),
            **partition.document,
            "files": [path.name for path in files],
            "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with (partition.folder / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(integrity.seal(document, within), file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(partition.folder)

    @staticmethod
    def _move_into_place(staging: Staging, target: Path, *, replace: bool) -> None:
        make_folder(target.parent)
        if (target / MANIFEST).is_file() and not replace:
            return
        with suppress(FileNotFoundError):
            target.rename(staging.aside)
        try:
            staging.folder.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return  # a concurrent writer of the same month was faster; both wrote the same rows
        sync_folder(target.parent)


@lru_cache(maxsize=8192)
def _parsed(folder: Path, within: str, inode: int, written_ns: int) -> dict[str, Any]:
    """A manifest, of which a step asks again and again; its file is never changed, only replaced by another."""
    return integrity.parse(folder, within, (folder / MANIFEST).read_text(encoding="utf-8"))


def _is_disk_fault(error: Exception, folder: Path) -> bool:
    """Whether an error of the writer is the disk's, and not, say, its source's dropped connection."""
    if isinstance(error, OSError):
        return error.errno in _DISK_FAULTS or is_out_of_space(error)
    return type(error).__name__ == "IOException" and str(folder) in str(error)  # duckdb's


def _lake_error(path: Path, done: str, error: Exception) -> LakeError:
    reason = "no space is left on the disk" if is_out_of_space(error) else ""
    reason = reason or getattr(error, "strerror", None) or " ".join(str(error).split())
    way_out = "check GRIDGRADE_LAKE, its permissions and free space"
    return LakeError(f"lake partition {path} cannot be {done}: {reason}; {way_out}")
