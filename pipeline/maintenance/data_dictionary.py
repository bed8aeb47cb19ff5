"""The data dictionary: indices as the policy defines them, source tables and warehouse as their DDL describes them.

``docs/data-dictionary.md`` is this page for the policy that comes with the project.
"""

import re
from pathlib import Path
from typing import Any

import sqlglot

from pipeline.engine import queries
from pipeline.policy import Policy
from pipeline.policy.indices import Index
from pipeline.resources import SQL
from pipeline.source import contract
from pipeline.warehouse.migrations import column_meaning

TEMPLATE = Path(__file__).with_name("data_dictionary.md.jinja")
_COMMENT = re.compile(r"^comment on (table|column) ([\w.]+) is '((?:[^']|'')*)';", re.MULTILINE)


def dictionary(policy: Policy) -> dict[str, Any]:
    """The dictionary as plain JSON: indices, index_parameters, source, warehouse and views."""
    return {
        "indices": [_index(name, index) for name, index in policy.indices.items()],
        "index_parameters": policy.index_parameters.model_dump(),
        "source": [_source(name) for name in contract()],
        "warehouse": _warehouse(),
        "views": {path.stem: _view(path) for path in sorted((SQL / "warehouse" / "reports").glob("*.sql"))},
    }


def markdown(policy: Policy) -> str:
    """The dictionary as a Markdown page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 not HTML
    environment.filters |= {
        "cell": _cell,
        "code": lambda names: ", ".join(f"`{name}`" for name in names),
        "better": lambda index: {"+": "high", "-": "low", "none": "neither"}[index["direction"]],
        "bands": _bands,
        "missing": _missing,
        "numbers": _numbers,
        "families": lambda index: "all" if index["families"] is None else ", ".join(index["families"]),
        "scored": lambda index: "yes" if index["enters_score"] else "no",
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(dictionary(policy)) + "\n"


def _index(name: str, index: Index) -> dict[str, Any]:
    definition = index.model_dump(mode="json")
    return {
        "name": name,
        **definition,
        "query": f"sql/lake/indices/{index.group}.sql",
        "reads": sorted(_tables(index.group)),
    }


def _tables(group: str) -> frozenset[str]:
    """The source tables that the query of a group reads in the end."""
    return queries.compose(f"select * from {group}").tables & contract().keys()


def _source(name: str) -> dict[str, Any]:
    table = contract()[name]
    columns = [
        {"name": c.name, "type": c.sql_type.lower(), "is_required": c.is_required, "meaning": c.meaning}
        for c in table.columns
    ]
    return {
        "name": name,
        "meaning": table.meaning,
        "is_required": table.is_required,
        "key": list(table.key),
        "columns": columns,
    }


def _warehouse() -> dict[str, dict[str, Any]]:
    """By table: its comment and those of its columns, as the migrations left them."""
    tables: dict[str, dict[str, Any]] = {}
    for path in sorted((SQL / "warehouse" / "migrations").glob("[0-9]*.sql")):
        for kind, name, text in _COMMENT.findall(path.read_text(encoding="utf-8")):
            table, column = (name, None) if kind == "table" else name.rsplit(".", 1)
            described = tables.setdefault(table, {"meaning": "", "columns": {}})
            if column is None:
                described["meaning"] = text.replace("''", "'")
            else:
                described["columns"][column] = text.replace("''", "'")
    return tables


def _view(path: Path) -> dict[str, Any]:
    query = path.read_text(encoding="utf-8")
    columns = sqlglot.parse_one(query, read="postgres", into=sqlglot.exp.Select).named_selects
    return {
        "meaning": query.partition("\n")[0].removeprefix("--").strip(),
        "columns": {column: column_meaning(path.stem, column) for column in columns},
    }


def _bands(index: dict[str, Any]) -> str:
    sign = "≥" if index["direction"] == "+" else "≤"
    return ", ".join(f"{letter} {sign} {bound:g}" for letter, bound in zip("ABC", index["bands"], strict=True))


def _missing(index: dict[str, Any]) -> str:
    if index["missing_when"] is None:
        return "never"
    words = {"median": "the median", "fallback": f"the query's {index['name']}_fallback"}
    missing = index["missing"]
    return (
        f"{index['missing_when']}: {missing:g}"
        if missing not in words
        else f"{index['missing_when']}: {words[missing]}"
    )


def _numbers(value: float | dict[str, float | None]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items() if number is not None)
    return f"{value:g}"


def _cell(text: str) -> str:
    """Text as it has to stand in a cell of a Markdown table."""
    for character, escaped in (("|", "\\|"), ("*", "\\*"), ("<", "&lt;")):
        text = text.replace(character, escaped)
    return text
