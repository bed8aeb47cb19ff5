"""Prefetch: a thread makes the next item while the reader works on the present one."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")
_END = object()


def prefetch(items: Iterable[Item]) -> Iterator[Item]:
    """The same items in the same order, each made while the one before is worked on; never more than one ahead.

    An error in making one is raised when the reader reaches it.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, iterator, _END)
        while (item := following.result()) is not _END:
            following = thread.submit(next, iterator, _END)
            yield cast(Item, item)
