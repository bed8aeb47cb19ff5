"""Validation as pages: an index of rating months, a page a month, and a page for each of its tables.

Made from the results of Great Expectations as they are kept beside the lake's quarantine, and stored in
ops.validation_results. A page needs no script and no request. In ``folder``:

    index.html                            the rating months
    2026-10_as_known_then/index.html      the tables of a month
    2026-10_as_known_then/bills.html      the expectations of a table, and the rows that failed them
    2026-10_as_known_then/summary.json    what the index says of the month
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import MonthError
from pipeline.ingest.expectations import FIRST, WRONG_TYPES, Rule, Suite, total_rules
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.pages.files import write
from pipeline.pages.templates import environment

_ROWS_OF_A_KIND = 100
_ROWS = 1_000
"""A page lists no more rows than these: of each set of reasons, and in all."""
_EXAMPLES = 5
_LONG = 200
_WAY_OUT = "check GRIDGRADE_HOME"
_SUMMARY = "summary.json"


@dataclass(frozen=True)
class Validated:
    """What is known of a table: the manifests of its quarantine by recorded month, and why the run stopped at it.

    ``limit`` is the share of rows that may fail.
    """

    suite: Suite
    months: Mapping[RatingMonth, Mapping[str, Any]]
    limit: float
    refusal: str | None = None

    @property
    def name(self) -> str:
        return self.suite.table.name

    def total(self, what: str) -> int:
        return sum(outcome[what] for outcome in self.months.values())


def write_pages(
    folder: Path,
    month: RatingMonth,
    basis: str,
    tables: Sequence[Validated],
    lake: Lake,
    database: duckdb.DuckDBPyConnection,
    refusals: Sequence[str],
) -> Path:
    """Write the pages of a month, in the place of earlier ones, and the index of all months; returns the index.

    ``refusals``: why the run stopped, if it did. ConfigError where the folder cannot be written.
    """
    run = folder / f"{month}_{basis}"
    about = {"month": str(month), "basis": basis.replace("_", " ")}
    rows = [_about_table(table) for table in tables]
    for table, row in zip(tables, rows, strict=True):
        failed = _failed_rows(table, lake, database)
        page = _render(
            "table", **about, table=row, meaning=table.suite.table.meaning, refusal=table.refusal,
            expectations=_expectations(table), months=_months(table), failed=failed, listed=len(failed)
        )  # fmt: skip
        write(page, run / f"{table.name}.html", _WAY_OUT)
    summary = about | {
        "folder": run.name,
        "tables": len(rows),
        "checked": sum(row["checked"] for row in rows),
        "failed": sum(row["failed"] for row in rows),
        "most": max(rows, key=lambda row: row["failed"])["name"] if any(row["failed"] for row in rows) else None,
        "is_stopped": bool(refusals),
    }
    write(_render("month", **about, tables=rows, summary=summary, refusals=refusals), run / "index.html", _WAY_OUT)
    for written in run.glob("*.html"):
        if written.stem not in {"index", *(table.name for table in tables)}:
            written.unlink()
    write(json.dumps(summary, indent=1), run / _SUMMARY, _WAY_OUT)
    return rebuild_index(folder)


def rebuild_index(folder: Path) -> Path:
    """Write the index of the months that have pages; returns it."""
    summaries = []
    for _, run in runs(folder):
        with suppress(FileNotFoundError):
            summaries.append(json.loads((run / _SUMMARY).read_text(encoding="utf-8")))
    index = folder / "index.html"
    write(_render("index", months=summaries[::-1]), index, _WAY_OUT)
    return index


def runs(folder: Path) -> Iterator[tuple[RatingMonth, Path]]:
    """The rating months that have pages, oldest first, and the folder of each."""
    for run in sorted(folder.glob("*_*")):
        with suppress(MonthError):
            yield RatingMonth.parse(run.name.partition("_")[0]), run


def _render(name: str, **content: Any) -> str:
    return environment(Path(__file__).parent).get_template(f"validation_{name}.html").render(**content)


def _about_table(table: Validated) -> dict[str, Any]:
    results = [result for outcome in table.months.values() for result in outcome["results"]]
    return {
        "name": table.name,
        "checked": table.total("checked"),
        "failed": table.total("rows"),
        "months": len(table.months),
        "limit": table.limit,
        "expectations": len({result["expectation"] for result in results}),
        "unmet": len({result["expectation"] for result in results if not result["success"]}),
        "reason": _most_often(results),
        "is_stopped": table.refusal is not None,
    }


def _most_often(results: Sequence[Mapping[str, Any]]) -> str | None:
    """The expectation that most rows fail."""
    reasons: Counter[str] = Counter()
    for result in results:
        if not result["success"]:
            reasons[result["expectation"]] += result["rows_failed"]
    return max(reasons, key=lambda name: reasons[name], default=None)


def _expectations(table: Validated) -> list[dict[str, Any]]:
    """Each expectation over all months, those that are not met first, those that most rows fail before others."""
    found: dict[str, dict[str, Any]] = {}
    for month, outcome in sorted(table.months.items(), reverse=True):
        for result in outcome["results"]:
            row = found.setdefault(
                result["expectation"],
                {
                    "name": result["expectation"],
                    "column": result["column_name"],
                    "severity": result["severity"],
                    **{"checked": 0, "failed": 0, "is_met": True, "examples": []},
                },
            )
            row["checked"] += result["rows_checked"]
            row["failed"] += result["rows_failed"]
            row["is_met"] = row["is_met"] and result["success"]
            detail = result["detail"]
            row["examples"] += detail.get("examples", [])
            if "source" in detail:
                row["examples"].append(f"{month}: {detail['lake']} in the lake, {detail['source']} in the source")
    for row in found.values():
        row["examples"] = [_short(value) for value in list(dict.fromkeys(row["examples"]))[:_EXAMPLES]]
    return sorted(found.values(), key=lambda row: (row["is_met"], -row["failed"]))


def _months(table: Validated) -> list[dict[str, Any]]:
    """The months in which rows failed, newest first."""
    return [
        {
            "month": str(month),
            "checked": outcome["checked"],
            "failed": outcome["rows"],
            "reason": _most_often(outcome["results"]),
        }
        for month, outcome in sorted(table.months.items(), reverse=True)
        if not all(result["success"] for result in outcome["results"])
    ]


def _failed_rows(table: Validated, lake: Lake, database: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows in quarantine, newest month first: all, or so many of each set of reasons that none goes unseen."""
    key = fact_key(table.name)
    months: dict[str, str] = {}
    for month, outcome in table.months.items():
        if outcome["rows"]:
            months |= dict.fromkeys(lake.files(QUARANTINE + table.name, **{key: month}), str(month))
    if not months:
        return []
    query = """
        with rows as (select * from read_parquet($files, filename = true, union_by_name = true)),
        listed as (
            select filename, file_row_number from rows
            qualify row_number() over (partition by failed order by filename desc, file_row_number) <= $of_a_kind
            order by row_number() over (partition by failed order by filename desc, file_row_number), filename desc
            limit $most
        )
        select
            filename,
            file_row_number,
            failed,
            cast(columns(* exclude (filename, file_row_number, failed)) as varchar)
        from rows join listed using (filename, file_row_number)
        order by filename desc, file_row_number
    """
    found = database.execute(query, {"files": list(months), "of_a_kind": _ROWS_OF_A_KIND, "most": _ROWS})
    names = [column[0] for column in found.description]
    concerned = {rule.name: _columns(rule, table.suite) for rule in _rules(table.suite)}
    rows = []
    for values in found.fetchall():
        row = dict(zip(names, values, strict=True))
        rows.append(
            {
                "month": months[row["filename"]],
                "number": row["file_row_number"],
                "key": _short(" ".join(row[name] for name in table.suite.table.key if row[name] is not None)),
                "reasons": row["failed"],
                "values": _values(row, concerned),
            }
        )
    return rows


def _rules(suite: Suite) -> list[Rule]:
    return [*suite.rules, *total_rules(suite.table).values()]


def _columns(rule: Rule, suite: Suite) -> list[str]:
    """The contract's columns that a rule looks at."""
    if rule.arguments.get("column") == FIRST:
        return list(suite.table.key)
    looked_at = [value for name, value in rule.arguments.items() if name in ("column", "column_A", "column_B")]
    text = " ".join([rule.column or "", *(suite.columns.get(name, "") for name in looked_at)])
    return [name for name in suite.table.column_names if re.search(rf"\b{name}\b", text)]


def _values(row: Mapping[str, Any], concerned: Mapping[str, Sequence[str]]) -> list[tuple[str, str | None]]:
    """The values that the rules a row fails look at, by column; those that cannot be read as the source has them."""
    raw = json.loads(row["_raw"]) if row.get("_raw") else {}
    names = dict.fromkeys([*raw, *(name for rule in row["failed"] for name in concerned.get(rule, ()))])
    values = {name: raw[name] if name in raw else row.get(name) for name in names if name != WRONG_TYPES}
    return [(name, None if value is None else _short(str(value))) for name, value in values.items()]


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
