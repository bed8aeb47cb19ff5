"""Which files of a folder hold which table: bills.csv, bills-2025.csv, bills/*.csv. None is left out unsaid."""

import re
from pathlib import Path

from pipeline.errors import SourceContractError
from pipeline.source.contract import contract
from pipeline.source.dialect import OPTIONS

READABLE = (".csv", ".csv.gz", ".parquet", ".xlsx")
_SUFFIX = re.compile(r"\.(csv\.gz|[^.]*)$", re.IGNORECASE)


def find(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The files of each table, and the names of all that is of no table.

    Errors: SourceContractError where a required table has no file, or where a file looks like one of a table and is
    not to be read as such.
    """
    if not folder.is_dir():
        raise SourceContractError(
            f"{folder} is not a folder: name one that holds customers.parquet, bills.parquet, ..."
        )
    files: dict[str, list[Path]] = {}
    ignored = []
    for path in sorted(folder.iterdir()):
        table = _table_of(path)
        if table is None:
            ignored += [] if path.name == OPTIONS else [path.name]
        elif path.is_dir():
            inside, others = _inside(path)
            files.setdefault(table, []).extend(inside)
            ignored += others
        else:
            files.setdefault(table, []).append(path)
    for table, paths in files.items():
        _refuse_twice(table, paths, folder)
    for required in contract().values():
        if required.is_required and required.name not in files:
            raise SourceContractError(
                f"{folder} holds no {required.name}.parquet, {required.name}.csv or {required.name}.xlsx, and the "
                f"source contract requires it: see sql/contract/{required.name}.sql"
            )
    return {name: files[name] for name in contract() if name in files}, ignored


def suffix(path: Path) -> str:
    """``.csv.gz`` of ``Bills.CSV.GZ``."""
    found = _SUFFIX.search(path.name)
    return found[0].lower() if found else ""


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix(path))].casefold() if path.is_file() else path.name.casefold()


def _table_of(path: Path) -> str | None:
    """The table whose file or folder it is. SourceContractError where only the beginning of its name is a table's."""
    stem = _stem(path)
    table = next((name for name in contract() if re.match(rf"{name}(?![a-z])", stem)), None)
    if table is None:
        return None
    if stem != table and not stem.startswith(f"{table}-"):
        raise SourceContractError(
            f"{path} may hold {table} or not: name it {table}-<anything>{suffix(path)} to load it, or move it away"
        )
    if path.is_file() and suffix(path) not in READABLE:
        raise SourceContractError(f"{path} cannot be read: save it as one of {', '.join(READABLE)}, or move it away")
    return table


def _inside(folder: Path) -> tuple[list[Path], list[str]]:
    files, others = [], []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            raise SourceContractError(f"{path} is a folder within {folder.name}: put its files beside each other")
        if suffix(path) in READABLE:
            files.append(path)
        else:
            others.append(f"{folder.name}/{path.name}")
    if not files:
        raise SourceContractError(f"{folder} holds no file that can be read: fill it, or move it away")
    return files, others


def _refuse_twice(table: str, paths: list[Path], folder: Path) -> None:
    seen: dict[tuple[Path, str], Path] = {}
    for path in paths:
        other = seen.setdefault((path.parent, _stem(path)), path)
        if other is not path:
            raise SourceContractError(f"{folder} holds both {other.name} and {path.name} of {table}: keep one of them")
