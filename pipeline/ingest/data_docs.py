"""Great Expectations' Data Docs: one page a table and rating month, with the numbers of all its partitions together."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import MonthError
from pipeline.ingest.expectations import Rule, Suite, as_expectation, great_expectations, in_memory, total_suite
from pipeline.month import RatingMonth

_SITE = "gridgrade"
_RUNS_ON_INDEX = 400


def has_pages(folder: Path, month: RatingMonth, basis: str) -> bool:
    """Whether the pages of a run were written."""
    return (folder / "index.html").is_file() and any(folder.glob(f"validations/*/{_run_name(month, basis)}/*/*.html"))


def write_pages(
    folder: Path, month: RatingMonth, basis: str, suites: list[Suite], outcomes: dict[str, list[dict[str, Any]]]
) -> Path:
    """Write the pages of a run and the index of all runs; returns the index.

    ``suites``: the expectations on rows; ``outcomes``: by table the manifests of its quarantine.
    """
    gx = great_expectations()
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = gx.get_context(mode="ephemeral", project_config=_configuration(folder))
    run = RunIdentifier(run_name=_run_name(month, basis), run_time=month.cutoff("UTC"))
    identifiers: list[Any] = []
    for rows in suites:
        table, parts = rows.table.name, (rows, total_suite(rows.table))
        suite = gx.ExpectationSuite(
            name=table, expectations=[as_expectation(rule) for part in parts for rule in part.rules]
        )
        context.suites.add_or_update(suite)
        suite_key = ExpectationSuiteIdentifier(table)
        key = ValidationResultIdentifier(suite_key, run, batch_identifier=str(month))
        context.validation_results_store.add_or_update(key, _suite_result(parts, outcomes[table], run))
        identifiers += [suite_key, key]
    context.build_data_docs(site_names=[_SITE], resource_identifiers=identifiers)
    return folder / "index.html"


def runs(folder: Path) -> Iterator[tuple[RatingMonth, Path]]:
    """The rating month of each run of each table, and its folder: of pages, and of the results they were made from."""
    for run in sorted((*folder.glob("validations/*/*"), *folder.glob("results/*/*"))):
        with suppress(MonthError):
            yield RatingMonth.parse(run.name.split()[0]), run


def rebuild_index(folder: Path) -> None:
    """Make the index of all runs anew, after pages were removed."""
    context = great_expectations().get_context(mode="ephemeral", project_config=_configuration(folder))
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

    context.build_data_docs(site_names=[_SITE], resource_identifiers=[ExpectationSuiteIdentifier("no page at all")])


def _run_name(month: RatingMonth, basis: str) -> str:
    return f"{month} {basis}"


def _configuration(folder: Path):
    """Suites in memory; results of all runs beside the site, for its index."""

    def files(where: Path, **more: Any) -> dict[str, Any]:
        return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(where), **more}

    index = {"class_name": "DefaultSiteIndexBuilder", "validation_results_limit": _RUNS_ON_INDEX}
    site = {"class_name": "SiteBuilder", "show_how_to_buttons": False, "store_backend": files(folder)}
    configuration = in_memory(data_docs_sites={_SITE: {**site, "site_index_builder": index}})
    results = configuration.stores[configuration.validation_results_store_name]
    results["store_backend"] = files(folder / "results", filepath_suffix=".json")
    return configuration


def _suite_result(parts: tuple[Suite, Suite], outcomes: list[dict[str, Any]], run):
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult

    results = [_result(rule, outcomes) for part in parts for rule in part.rules]
    met = sum(result.success for result in results)
    return ExpectationSuiteValidationResult(
        success=met == len(results),
        results=results,
        suite_name=parts[0].table.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": met,
            "unsuccessful_expectations": len(results) - met,
            "success_percent": 100 * met / len(results),
        },
        meta={"great_expectations_version": __version__, "run_id": run},
    )


def _result(rule: Rule, outcomes: list[dict[str, Any]]):
    """One expectation over all partitions: rows, rows that fail, a few of their values."""
    from great_expectations.core import ExpectationValidationResult

    found = [result for outcome in outcomes for result in outcome["results"] if result["expectation"] == rule.name]
    rows, failed = sum(result["rows_checked"] for result in found), sum(result["rows_failed"] for result in found)
    examples = [value for result in found for value in result["detail"].get("examples", [])]
    totals = [f"{r['detail']['lake']} / {r['detail']['source']}" for r in found if "source" in r["detail"]]
    percent = 100 * failed / rows if rows else 0.0
    return ExpectationValidationResult(
        success=all(result["success"] for result in found),
        expectation_config=as_expectation(rule).configuration,
        result={
            "element_count": rows,
            "unexpected_count": failed or len(totals),
            "unexpected_percent": percent,
            "unexpected_percent_total": percent,
            "unexpected_percent_nonmissing": percent,
            "partial_unexpected_list": (examples + totals)[:20],
        },
        meta={},
        exception_info={"raised_exception": False, "exception_traceback": None, "exception_message": None},
    )
