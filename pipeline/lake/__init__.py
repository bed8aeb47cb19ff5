"""The lake: immutable partitions of Parquet, one a table and month, in a folder or in an object store.

    <lake>/bills/recorded_month=2026-10/part-0-<token>.parquet      facts: written once, never changed
    <lake>/bills/recorded_month=2026-10/_manifest.json
    <lake>/customers/snapshot_month=2026-10/...
    <lake>/quarantine/bills/recorded_month=2026-10/...              rows of the partition above that readers leave out
    <lake>/indices/rating_month=2026-10/basis=as_known_then/...     derived: replaced by the next run of its month

A manifest names the files of its partition, under names that were used once (``token``: its writer's); what no manifest
names is nobody's. A writer works in a folder of its own, puts the files and then the manifest, which makes them a
partition or takes the place of the one before. So a reader never sees half of one, and a writer that dies leaves files
that nobody reads: ``unnamed``.
"""

import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Self

from pipeline.errors import LakeError, MonthError
from pipeline.lake import integrity
from pipeline.lake.integrity import MANIFEST
from pipeline.lake.staging import sweep
from pipeline.lake.storage import Changed, Stored, storage
from pipeline.lake.writing import Partition, files_of, written
from pipeline.month import RatingMonth
from pipeline.settings import Settings, is_url

__all__ = ["MANIFEST", "QUARANTINE", "STAGING", "Lake", "Partition", "Stored", "fact_key"]

QUARANTINE = "quarantine/"
STAGING = ".staging"
_BEGINNING = "_beginning"
_OF_WRITER = re.compile(r"(^|/)[0-9a-f]{32}/|-[0-9a-f]{32}\.parquet$")
_PROBE = "_probe"
_DAY = 86_400


def fact_key(table: str) -> str:
    """The partition key of a source table: customers are snapshots, everything else is kept by recorded month."""
    return "snapshot_month" if table.removeprefix(QUARANTINE) == "customers" else "recorded_month"


class Lake:
    """The partitions under ``root``: a folder, or the URL of an object store, whose writers then work in ``scratch``.

    Partition keys are given by name: ``recorded_month=month``, ``basis="..."``.
    """

    def __init__(self, root: Path | str, scratch: Path | None = None):
        self.root = root if is_url(root) else Path(root)
        self._storage = storage(root)
        self._staging = (scratch or Path(gettempdir())) / STAGING if is_url(root) else Path(root) / STAGING

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.lake_path, settings.scratch_path)

    @staticmethod
    def name(table: str, **keys: Any) -> str:
        """A partition's name within the lake, there or not; with no keys that of the table."""
        ordered = sorted(keys.items(), key=lambda item: (not item[0].endswith("_month"), item[0]))
        return "/".join([table, *(f"{name}={value}" for name, value in ordered)])

    def path(self, table: str, **keys: Any) -> Any:
        """Where that is, as people call it: a Path, of an object store a URL."""
        return self._storage.location(self.name(table, **keys))

    def has(self, table: str, **keys: Any) -> bool:
        return self._storage.holds(f"{self.name(table, **keys)}/{MANIFEST}")

    def is_validated(self, table: str, month: RatingMonth) -> bool:
        """Whether the lake has a source table's partition of a month, and validation has seen it."""
        return all(self.has(name, **{fact_key(table): month}) for name in (table, QUARANTINE + table))

    def manifest(self, table: str, **keys: Any) -> dict[str, Any]:
        """The manifest of a partition; LakeError when there is no such partition, or it is damaged."""
        try:
            return integrity.read(self._storage, self.name(table, **keys))
        except FileNotFoundError:
            where = self.path(table, **keys)
            raise LakeError(f"the lake has no partition {where}: run the step that writes {table} first") from None

    def files(self, table: str, **keys: Any) -> list[str]:
        """The Parquet files of a partition in the manifest's order; LakeError when there is none, or it is damaged."""
        within, manifest = self.name(table, **keys), self.manifest(table, **keys)
        try:
            integrity.check(self._storage, within, manifest)
        except LakeError:
            if self.manifest(table, **keys) == manifest:
                raise
            return self.files(table, **keys)  # a writer has just replaced it
        return [str(self._storage.location(f"{within}/{name}")) for name in manifest["files"]]

    def copy(self, file: str, path: Path) -> None:
        """Copy one of ``files`` to this machine."""
        name = file.removeprefix(str(self._storage.location(""))).lstrip("/")
        with self._storage.open(name) as stored, path.open("wb") as copy:
            while block := stored.read(1 << 23):
                copy.write(block)

    def facts(self, table: str) -> list[RatingMonth]:
        """The months a source table has partitions of, in chronological order."""
        months = []
        for name in self._manifests(f"{table}/{fact_key(table)}=([^/]*)", under=table):
            try:
                months.append(RatingMonth.parse(name[1]))
            except MonthError:
                continue
        return sorted(months)

    def derived(self) -> Iterator[tuple[str, RatingMonth, str]]:
        """Table, rating month and basis of every derived partition, by table and month."""
        for name in self._manifests("([^/]+)/rating_month=([^/]*)/basis=([^/]*)"):
            yield name[1], RatingMonth.parse(name[2]), name[3]

    def copies(self, table: str) -> list[RatingMonth]:
        """The months of a table that is kept by rating month alone, whichever basis readers see."""
        found = self._manifests(f"{table}/rating_month=([^/]*)", under=table)
        return sorted(RatingMonth.parse(name[1]) for name in found)

    def _manifests(self, pattern: str, under: str = "") -> Iterator[re.Match[str]]:
        """The partitions with a name like this, in name order."""
        matches = (re.fullmatch(f"{pattern}/{MANIFEST}", stored.name) for stored in self._storage.found(under))
        return (match for match in matches if match)

    def beginning(self, table: str) -> RatingMonth | None:
        """The first month that the lake has, or ever had, of a source table."""
        months = self.facts(table)[:1]
        with suppress(FileNotFoundError):
            months.append(RatingMonth.parse(self._storage.read(f"{table}/{_BEGINNING}").strip()))
        return min(months, default=None)

    def remember_beginning(self, table: str) -> None:
        """Keep what ``beginning`` says, before the oldest partitions are removed."""
        name = f"{table}/{_BEGINNING}"
        over = self._storage.version(name)
        self._storage.put(name, f"{self.beginning(table)}\n", over)

    def remove(self, table: str, **keys: Any) -> None:
        """Remove a partition; without its manifest it is none any more, wherever this is broken off."""
        within = self.name(table, **keys)
        self._storage.remove(f"{within}/{MANIFEST}")
        for stored in self._storage.found(within):
            self._storage.remove(stored.name)

    def size(self, table: str, **keys: Any) -> int:
        """The bytes of a partition, of what nobody names in it too."""
        return sum(stored.size for stored in self._storage.found(self.name(table, **keys)))

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
        """A partition to fill; it is one on a clean exit, and nothing on an error.

        Facts stand as first written: where another writer was faster, its partition stays. A derived partition, and a
        quarantine, replaces what was there; where another writer has done so meanwhile, with other content, that stays
        and this is a LakeError. LakeError where the lake cannot be written.
        """
        is_fact = fact_key(table) in keys and not table.startswith(QUARANTINE)
        with written(self._storage, self._staging, self.name(table, **keys), is_fact=is_fact) as partition:
            yield partition

    @contextmanager
    def rewriting(self, within: str) -> Iterator[Partition]:
        """The partition of that name anew, to leave rows out: it takes the place of what is there.

        What was made from it names it by the hash it was first written with. Pass that to ``manifest`` as ``sha256``:
        it stays, and the hash of the files that are there now stands beside it.
        """
        with written(self._storage, self._staging, within) as partition:
            yield partition

    def partitions(self) -> Iterator[str]:
        """The name of every partition, facts, quarantine and derived, in name order."""
        return (name[1] for name in self._manifests("(.+)"))

    def unnamed(self, *, older_than: float = 0) -> Iterator[Stored]:
        """The files that a writer put and no manifest names, of at least that age in seconds: a writer at work may be
        about to name them."""
        yield from (stored for _, stored in self._unnamed(older_than) if _OF_WRITER.search(stored.name))

    def remove_unnamed(self, stored: Stored) -> None:
        self._storage.remove(stored.name)

    def foreign(self) -> Iterator[tuple[str, str]]:
        """Partitions, there or not, with Parquet files that their manifest does not name, and what is to be said of
        them; those that a writer may be at work on are left out."""
        told = set()
        for within, stored in self._unnamed(_DAY):
            if within not in told and self._storage.holds(stored.name):
                told.add(within)
                where, file = self._storage.location(within), stored.name.removeprefix(f"{within}/")
                if not self._storage.holds(f"{within}/{MANIFEST}"):
                    yield within, f"{where} has no manifest, so no step reads it: remove that folder"
                elif file not in files_of(self._storage, within):
                    yield within, f"{where} is damaged: {file} is not a file of it: remove it"

    def _unnamed(self, older_than: float) -> Iterator[tuple[str, Stored]]:
        """With the name of the partition they lie in. Those that no writer of ours put are of any age."""
        found, latest = self._storage.found(""), time.time() - older_than
        named: dict[str, set[str] | None] = {}
        for stored in found:
            within = _partition_of(stored.name)
            is_ours = _OF_WRITER.search(stored.name)
            if not (is_ours or stored.name.endswith(".parquet")) or (is_ours and stored.written > latest):
                continue
            if within not in named:
                named[within] = self._named(within)
            names = named[within]
            if names is not None and stored.name.removeprefix(f"{within}/") not in names:
                yield within, stored

    def _named(self, within: str) -> set[str] | None:
        """What a manifest names, nothing where there is none; None where that cannot be said."""
        try:
            return set(integrity.read(self._storage, within)["files"])
        except FileNotFoundError:
            return set()
        except LakeError:
            return None

    def sweep(self) -> None:
        """Remove what dead writers left on this machine."""
        sweep(self._staging)

    def probe(self) -> None:
        """LakeError unless a document can be put, read and removed here, and is not put over another one's."""
        name, where = f"{_PROBE}/{uuid.uuid4().hex}", self._storage.location("")
        try:
            self._storage.put(name, "first", None)
            for over in (None, '"of another"'):
                with suppress(Changed):
                    self._storage.put(name, "second", over)
            is_kept = self._storage.read(name) == "first"
            self._storage.remove(name)
        except OSError as error:
            way_out = "check GRIDGRADE_LAKE and its permissions"
            raise LakeError(f"{where} cannot be written: {error.strerror}; {way_out}") from None
        if not is_kept:
            raise LakeError(f"{where} lets a writer overwrite what it asked not to: it needs conditional writes")

    def check(self, within: str) -> None:
        """LakeError unless what a partition holds is what was written."""
        where = self._storage.location(within)
        try:
            text = self._storage.read(f"{within}/{MANIFEST}")
        except (OSError, UnicodeDecodeError) as error:
            raise integrity.damaged(where, f"{MANIFEST} cannot be read: {error}") from None
        integrity.check(self._storage, within, integrity.parse(where, within, text), anew=True)


def _partition_of(name: str) -> str:
    """The partition that a file lies in: its folder down to the last key."""
    parts = name.split("/")[:-1]
    keys = [place for place, part in enumerate(parts, start=1) if "=" in part]
    return "/".join(parts[: keys[-1]] if keys else parts)
