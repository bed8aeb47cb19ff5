"""A hash of the code that turns records into ratings: Python, queries, the source contract and the libraries.

The policy and the models have hashes of their own. Comments, docstrings and layout do not enter the hash, nor does the
code around a rating: commands, reports, actions, monitoring.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType

from pipeline import resources, source
from pipeline.engine import queries

_PACKAGE = Path(__file__).parent
_RATES = (
    "basis.py",
    "month.py",
    "engine",
    "lake",
    "policy",
    "source/contract.py",
    "ingest/expectations.py",
    "ingest/table_check.py",
    "ingest/validate.py",
    "customers",
    "models",
    "grading",
    "scorecard",
    "publishing",
    "warehouse/carry_over.py",
    "warehouse/tables/group_centroids.py",
    "warehouse/monthly_tables.py",
    "warehouse/overrides.py",
)
_DOES_NOT = (
    "policy/actions.py",
    "policy/describe.py",
    "policy/publication.py",
    "models/card",
    "models/model_card.py",
    "models/transfer.py",
    "grading/explain",
    "scorecard/curves.py",
    "publishing/comparison.py",
    "publishing/export_grades.py",
    "publishing/lake_copy.py",
    "publishing/late_records.py",
    "publishing/up_to_date.py",
)
_OTHER_QUERIES = ("measures", "monitoring", "outages", "outbox", "publishing", "rebates")
_OF_CODE = (
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_exceptiontable",
)
_LIBRARIES = (
    "duckdb",
    "great-expectations",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "sqlglot",
)


@cache
def sha256() -> str:
    """Of the code and the libraries of this process."""
    digest = hashlib.sha256()
    for name, text in (*_modules(), *_queries(), *_contract(), *_libraries()):
        digest.update(f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n".encode())
    return digest.hexdigest()


@cache
def without_documentation(python: str) -> str:
    """What a module does, as text: equal for two modules that differ in comments, docstrings and layout only."""
    return _as_text(compile(python, "", "exec", dont_inherit=True, optimize=2))


def _as_text(constant: object) -> str:
    """Of code all but where it stands, of a set its members in order."""
    match constant:
        case CodeType() as code:
            return repr([getattr(code, name) for name in _OF_CODE]) + _as_text(code.co_consts)
        case tuple():
            return f"({', '.join(map(_as_text, constant))})"
        case frozenset():
            return f"{{{', '.join(sorted(map(_as_text, constant)))}}}"
    return repr(constant)


def _modules() -> Iterator[tuple[str, str]]:
    for path in sorted(_files(_RATES) - _files(_DOES_NOT)):
        yield str(path.relative_to(_PACKAGE)), without_documentation(path.read_text(encoding="utf-8"))


def _files(names: tuple[str, ...]) -> set[Path]:
    paths = [_PACKAGE / name for name in names]
    return {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}


def _queries() -> Iterator[tuple[str, str]]:
    """The queries that a rating may run, by name: those of service measures and the like are none of them."""
    for within, path in resources.files(resources.LAKE, ".sql").items():
        if within.split("/")[0] not in _OTHER_QUERIES:
            yield path.stem, queries.normal_form(path.stem)


def _contract() -> Iterator[tuple[str, str]]:
    for name, table in sorted(source.contract().items()):
        columns = tuple(replace(column, meaning="") for column in table.columns)
        yield name, repr(replace(table, meaning="", columns=columns))


def _libraries() -> Iterator[tuple[str, str]]:
    for library in _LIBRARIES:
        yield library, version(library)
