"""An object store, opened through fsspec: read by DuckDB, and its refusals in one line."""

import asyncio
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from pipeline.engine.connection import gone
from pipeline.errors import ConfigError, LakeError
from pipeline.settings import PACKAGES, is_url

_CLIENTS = {"botocore", "aiobotocore", "aiohttp", "azure", "adlfs", "google", "gcsfs"}
_AWAY = re.compile(
    r"EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|ClientConnect|HTTPClient|ServiceRequest"
)


class Objects(AbstractFileSystem):
    """The objects of a store as DuckDB reads them: whole ranges, and asked about once, since a key is used once."""

    cachable = False

    def __init__(self, store: AbstractFileSystem, protocol: str):
        super().__init__()
        self.store, self.protocol = store, (protocol,)
        self._known: dict[str, dict[str, Any]] = {}
        self.documents: dict[tuple[str, str], str] = {}  # by URL and ETag, of those that are read again and again

    def unstrip_protocol(self, name: str) -> str:
        return name if is_url(name) else f"{self.protocol[0]}://{name}"

    def listed(self, url: str) -> list[dict[str, Any]]:
        """Everything under a prefix: ``name``, ``size``, and what the store says beside it."""
        found = self.store.find(url, detail=True)
        self._known |= found
        return list(found.values())

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        name = self.store._strip_protocol(path)
        if name not in self._known:
            self._known[name] = self.store.info(name)
        return self._known[name]

    def glob(self, path: str, **_: Any) -> list[str]:
        with refusals(path, "read"):
            try:
                return [self.info(path)["name"]]
            except FileNotFoundError:
                return []

    def modified(self, path: str) -> Any:
        return self.info(path)["LastModified"] if "LastModified" in self.info(path) else self.store.modified(path)

    def open(self, path: str, mode: str = "rb", **_: Any) -> "_Reading":
        return _Reading(self, path)


class _Reading(io.RawIOBase):
    """An object, of which each read is one request for just that range."""

    def __init__(self, objects: Objects, path: str):
        self._store, self._path, self._at = objects.store, path, 0
        self.size = objects.info(path)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, length: int = -1) -> bytes:
        end = self.size if length < 0 else min(self.size, self._at + length)
        if end <= self._at:
            return b""
        with reading(self._path):
            content = self._store.cat_file(self._path, start=self._at, end=end)
        self._at = end
        return content


def objects(url: str) -> Objects:
    """The store that a URL leads to, the same one for all of a process. ConfigError where the package that speaks to it
    is missing."""
    return _opened(url.partition("://")[0], os.getpid())


@lru_cache(maxsize=8)
def _opened(scheme: str, process: int) -> Objects:
    """Its connections are of one process: a fork opens its own."""
    try:
        store = fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError:
        raise ConfigError(
            f"GRIDGRADE_LAKE={scheme}://... needs {PACKAGES[scheme]}: pip install 'gridgrade[{scheme}]'"
        ) from None
    return Objects(store, scheme)


@contextmanager
def refusals(where: str, done: str) -> Iterator[None]:
    """What the store refuses, as a LakeError of one line. That there is nothing, or something already, passes."""
    try:
        yield
    except (FileNotFoundError, FileExistsError) as error:
        if _code(error) != "NoSuchBucket":
            raise
        raise LakeError(
            f"{where} cannot be {done}: there is no such bucket; make it, or check GRIDGRADE_LAKE"
        ) from None
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise LakeError(f"{where} cannot be {done}: {_reason(error)}") from None


@contextmanager
def reading(file: str) -> Iterator[None]:
    """LakeError where a file of the lake is gone from the store, or cannot be read there."""
    with refusals(file, "read"):
        try:
            yield
        except FileNotFoundError:
            raise LakeError(gone(file)) from None


def is_conflict(error: BaseException) -> bool:
    """Whether a store refuses to write because another writer was faster."""
    return _code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


def _code(error: BaseException) -> str:
    response = getattr(error.__cause__ or error, "response", None)
    return str(response["Error"].get("Code", "")) if isinstance(response, dict) and "Error" in response else ""


def _reason(error: Exception) -> str:
    """Never the client's own words about an address or a key."""
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    if "NoCredentials" in names or "PartialCredentials" in names:
        return "no credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
    if isinstance(error, asyncio.TimeoutError | TimeoutError | ConnectionError) or _AWAY.search(names):
        return "the store cannot be reached; check the network and, where it is not the cloud's, AWS_ENDPOINT_URL"
    code = _code(error)
    if isinstance(error, PermissionError):
        return f"access is denied{f' ({code})' if code else ''}; check the credentials and what they may do there"
    return f"the store answers {code or type(error).__name__}; try again, or look into the store"
