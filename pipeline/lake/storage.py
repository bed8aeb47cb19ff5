"""Where the files of a lake lie: a local folder, or a prefix of an object store. Names are relative to it.

A data file is put under a name that is used once. A document is put whole, and only over what its writer has read: of
two writers one wins. That is all that the lake builds on.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from fsspec import AbstractFileSystem

from pipeline.engine.objects import Objects, is_conflict, objects, refusals
from pipeline.private import make_folder
from pipeline.settings import is_url


class Changed(Exception):
    """A document is not what its writer has read: another writer was faster."""


@dataclass(frozen=True)
class Stored:
    """A file that is there. ``mark``: another one for another content. ``written``: when, in seconds since 1970."""

    name: str
    size: int
    mark: str
    written: float


class Storage(Protocol):
    """Errors are OSError or, of an object store, LakeError in one line; FileNotFoundError: there is no such name."""

    def __hash__(self) -> int: ...

    @property
    def keeps_marks(self) -> bool:
        """Whether a file's mark follows from its content alone."""

    def location(self, name: str) -> Path | str:
        """What DuckDB, Spark and people call it."""

    def found(self, under: str) -> list[Stored]:
        """Every file below a folder, in name order."""

    def holds(self, name: str) -> bool: ...

    def read(self, name: str) -> str: ...

    def version(self, name: str) -> str | None:
        """What ``put`` takes to replace what is there now; None where nothing is."""

    def put(self, name: str, text: str, over: str | None) -> None:
        """Put a document whole over that version of it; None: where there is none. Changed where another is there."""

    def put_file(self, path: Path, name: str) -> None:
        """Take in a file of this machine, under a name that nothing else has; it may be moved away."""

    def open(self, name: str) -> BinaryIO: ...

    def remove(self, name: str) -> None:
        """Remove a file that may be gone already."""


def storage(where: Path | str) -> Storage:
    return ObjectStore(str(where)) if is_url(where) else Folder(Path(where))


@dataclass(frozen=True)
class Folder:
    """A folder, on this machine's disk or on one that hosts share."""

    root: Path
    keeps_marks = False

    def location(self, name: str) -> Path:
        return self.root / name

    def found(self, under: str) -> list[Stored]:
        found = []
        for folder, folders, files in os.walk(self.root / under):
            if Path(folder) == self.root:  # where writers work, and their lock
                folders[:] = [name for name in folders if not name.startswith(".")]
            for path in (Path(folder, name) for name in files):
                if path.parent == self.root and path.name.startswith("."):
                    continue
                with suppress(FileNotFoundError):  # a writer has just replaced it
                    stat = path.stat()
                    mark = f"{stat.st_ino} {stat.st_mtime_ns}"
                    found.append(Stored(path.relative_to(self.root).as_posix(), stat.st_size, mark, stat.st_mtime))
        return sorted(found, key=lambda stored: stored.name)

    def holds(self, name: str) -> bool:
        return (self.root / name).is_file()

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def version(self, name: str) -> str | None:
        with suppress(FileNotFoundError):
            return (self.root / name).read_bytes().hex()
        return None

    def put(self, name: str, text: str, over: str | None) -> None:
        target = self.root / name
        make_folder(target.parent)
        partial = target.with_name(f".{target.name}.partial")
        with self._alone():
            if self.version(name) != over:
                raise Changed
            partial.write_text(text, encoding="utf-8")
            _sync(partial)
            partial.replace(target)
            _sync(target.parent)

    def put_file(self, path: Path, name: str) -> None:
        target = self.root / name
        _sync(path)
        make_folder(target.parent)
        try:
            path.rename(target)
        except FileNotFoundError:  # the folder was empty, and somebody removed it
            make_folder(target.parent)
            path.rename(target)
        _sync(target.parent)

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")

    def remove(self, name: str) -> None:
        path = self.root / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            while path.parent != self.root:
                path = path.parent
                path.rmdir()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer of documents at a time; the kernel lets go of the lock with the process."""
        descriptor = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class ObjectStore:
    """A prefix of a bucket, by fsspec.

    A month reads hundreds of partitions of facts, which do not change. So of these, and of what quarantine lies over
    them, one object of this class sees what there was when it was first asked about their table, and what it has
    written itself since: one listing, and all their manifests at once, in place of several requests for each.
    """

    url: str
    _listings: dict[str, dict[str, Stored]] = field(default_factory=dict, compare=False, repr=False)
    _changes: Counter[str] = field(default_factory=Counter, compare=False, repr=False)
    keeps_marks = True

    @property
    def _objects(self) -> Objects:
        return objects(self.url)

    @property
    def _store(self) -> AbstractFileSystem:
        return self._objects.store

    def location(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def found(self, under: str) -> list[Stored]:
        listing = self._listing(under)
        if listing is not None:
            return [stored for name, stored in listing.items() if name.startswith(f"{under}/")]
        return self._found(under)

    def _listing(self, name: str) -> dict[str, Stored] | None:
        """By name, what is kept of the table of facts that a partition or a file of one is of; None for any other."""
        table, is_fact, _ = name.partition("/recorded_month=" if "/recorded_month=" in name else "/snapshot_month=")
        if not is_fact:
            return None
        if (listing := self._listings.get(table)) is None:
            before = self._changes[table]
            listing = {stored.name: stored for stored in self._found(table)}
            if self._changes[table] == before:  # else another thread has written meanwhile
                self._listings[table] = listing
        return listing

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        try:
            yield
        finally:
            table = name.partition("/recorded_month=")[0].partition("/snapshot_month=")[0]
            self._changes[table] += 1
            self._listings.pop(table, None)

    def _found(self, under: str) -> list[Stored]:
        where = self.location(under)
        with refusals(where, "listed"):
            listed = self._objects.listed(where)
        root = self._store._strip_protocol(self.url)
        found = [
            Stored(info["name"][len(root) + 1 :], info["size"], _mark(info), _written(info))
            for info in listed
            if info["type"] == "file"
        ]
        return sorted(found, key=lambda stored: stored.name)

    def holds(self, name: str) -> bool:
        listing = self._listing(name)
        return self.version(name) is not None if listing is None else name in listing

    def read(self, name: str) -> str:
        listing = self._listing(name)
        if listing is not None:
            if name not in listing:
                raise FileNotFoundError(self.location(name))
            if name.endswith(".json"):
                return self._kept(name, listing)
        with refusals(self.location(name), "read"):
            content: bytes = self._store.cat_file(self.location(name))
        return content.decode()

    def _kept(self, name: str, listing: dict[str, Stored]) -> str:
        """A document of a listing; with the first, those that it lists beside it are asked for at once."""
        kept, suffix = self._objects.documents, name.rpartition("/")[2]
        where = {self.location(one): stored.mark for one, stored in listing.items() if one.rpartition("/")[2] == suffix}
        if missing := [one for one in where if (one, where[one]) not in kept]:
            with refusals(self.location(name), "read"):
                found = self._store.cat(missing, on_error="omit")
            named = {self._store.unstrip_protocol(one): content for one, content in found.items()}
            kept.update({(one, where[one]): named[one].decode() for one in missing if one in named})
        key = (self.location(name), where[self.location(name)])
        if key not in kept:
            raise FileNotFoundError(self.location(name))
        return kept[key]

    def version(self, name: str) -> str | None:
        with refusals(self.location(name), "read"), suppress(FileNotFoundError):
            return _mark(self._store.info(self.location(name)))
        return None

    def put(self, name: str, text: str, over: str | None) -> None:
        where, content = self.location(name), text.encode()
        with self._changing(name), refusals(where, "written"):
            try:
                if over is None:
                    self._store.pipe_file(where, content, mode="create")
                elif self.url.startswith("s3:"):
                    self._store.pipe_file(where, content, IfMatch=over)
                else:  # fsspec has no word for it: for a moment there is none, and of two writers one puts the next
                    if self.version(name) != over:
                        raise Changed
                    self._store.rm_file(where)
                    self._store.pipe_file(where, content, mode="create")
            except FileExistsError:
                raise Changed from None
            except (FileNotFoundError, OSError) as error:
                if is_conflict(error) or (over is not None and isinstance(error, FileNotFoundError)):
                    raise Changed from None
                raise

    def put_file(self, path: Path, name: str) -> None:
        with self._changing(name), refusals(self.location(name), "written"):
            self._store.put_file(str(path), self.location(name))

    def open(self, name: str) -> BinaryIO:
        with refusals(self.location(name), "read"):
            return cast(BinaryIO, self._objects.open(self.location(name)))

    def remove(self, name: str) -> None:
        with self._changing(name), refusals(self.location(name), "removed"), suppress(FileNotFoundError):
            self._store.rm_file(self.location(name))


def _mark(info: dict[str, Any]) -> str:
    return str(info.get("ETag") or info.get("etag") or info.get("created"))


def _written(info: dict[str, Any]) -> float:
    when = info.get("LastModified") or info.get("last_modified") or info["mtime"]  # S3's, Azure's, Google's
    return float(when.timestamp())


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
