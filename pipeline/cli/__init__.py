"""``gridgrade``: the monthly cycle without Airflow, one month at a time, and what one needs around it.

Exit code 0: done. 1: refused or failed, with one line on stderr. 2: the call itself is wrong.
"""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli import actions as actions_cli
from pipeline.cli import models as models_cli
from pipeline.cli import overrides as overrides_cli
from pipeline.cli.console import AsJson, Language, Month, inputs, parse_month, print_json, print_rows, progress, status
from pipeline.cli.show_comparison import show_difference
from pipeline.errors import ConfigError, GridgradeError
from pipeline.month import RatingMonth
from pipeline.settings import Settings

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
source = typer.Typer(help="Fill a source database: for trying, and for tests.", no_args_is_help=True)
app.add_typer(source, name="source")
app.add_typer(actions_cli.actions, name="actions")
app.add_typer(actions_cli.rebates, name="rebates")
app.add_typer(overrides_cli.app, name="override")
app.add_typer(models_cli.app, name="models")


class Mode(StrEnum):
    auto = "auto"
    retrain = "retrain"
    apply = "apply"


class Basis(StrEnum):
    as_known_then = "as_known_then"
    as_known_now = "as_known_now"


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


ModeOption = Annotated[Mode, typer.Option(help="train a new model, apply the one in force, or decide")]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="V", help="apply this model version")]
BasisOption = Annotated[Basis, typer.Option(help="records as known at the cut-off, or as known now")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="do everything but publish, and say what would change")]
AcceptMoves = Annotated[
    bool, typer.Option("--accept-moves", help="publish even if more grades change than the policy lets pass")
]


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=100, help="size of the sample utility")] = 2000,
    months: Annotated[int, typer.Option(min=20, help="months of its history")] = 36,
    rate_last: Annotated[int, typer.Option(min=1, help="how many of them to rate")] = 3,
    as_json: AsJson = False,
) -> None:
    """Rate a sample utility through Airflow's own scheduler, and say where to look."""
    from pipeline.local import demo as runner

    with status() as echo:
        summary = runner.run(
            Settings.load(), customers=customers, months_of_history=months, rate_last=rate_last, echo=echo
        )
    if as_json:
        print_json(summary)
    else:
        runner.show(summary, Console())


@app.command()
def up() -> None:
    """Airflow with its pages on this machine only, until interrupted."""
    from pipeline.local import demo as runner

    runner.up(Settings.load(), Console(stderr=True).print)


@app.command()
def down() -> None:
    """Stop the Airflow and the PostgreSQL that live under GRIDGRADE_HOME."""
    from pipeline.local import demo as runner

    runner.down(Settings.load())


@source.command("load")
def source_load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="holds <table>.parquet or <table>.csv files")],
    as_json: AsJson = False,
) -> None:
    """Replace what the source database holds by the tables of a folder."""
    from pipeline.source.load import load_folder

    with status() as echo:
        echo(f"loading {folder}")
        loaded = load_folder(folder, Settings.load())
    for name in loaded["ignored"]:
        Console(stderr=True).print(f"ignored, not in the source contract: {name}")
    print_rows(as_json, ("table", "rows"), loaded["rows"].items())


@source.command("sample")
def source_sample(
    customers: Annotated[int, typer.Option(min=1, help="how many customers")] = 2000,
    months: Annotated[int, typer.Option(min=1, help="how many months of history")] = 36,
    last: Annotated[
        RatingMonth, typer.Option(parser=parse_month, metavar="YYYY-MM", help="the last of them")
    ] = "2026-10",
    seed: Annotated[int, typer.Option(help="another seed, another utility")] = 7,
    dirty: Annotated[float, typer.Option(min=0, max=0.5, help="share of rows to spoil")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Replace what the source database holds by a synthetic utility."""
    from pipeline.sample import fill_source

    with progress() as advance:
        rows = fill_source(
            Settings.load(),
            customers,
            months,
            last=last,
            seed=seed,
            dirty=dirty,
            progress=lambda month, done, total: advance(done, total, str(month)),
        )
    print_rows(as_json, ("table", "rows"), rows.items())


@app.command()
def rate(
    month: Month,
    mode: ModeOption = Mode.auto,
    model: ModelOption = None,
    basis: BasisOption = Basis.as_known_then,
    dry_run: DryRun = False,
    accept_moves: AcceptMoves = False,
    as_json: AsJson = False,
) -> None:
    """Rate one month, from extraction to publication and the actions that follow from it."""
    from pipeline.cycle import rate_month

    settings, policy = inputs()
    asked = {"mode": mode, "model_version": model, "basis": basis, "dry_run": dry_run, "accept_moves": accept_moves}
    with progress() as advance:
        outcome = rate_month(month, settings, policy, **asked, advance=advance)
    if as_json:
        print_json(outcome)
    else:
        _show_outcomes([outcome])
        if dry_run:
            show_difference(outcome["publish"])
    _tell_stale([outcome])
    _require_passed([outcome])


@app.command()
def diff(
    month: Month,
    mode: ModeOption = Mode.auto,
    model: ModelOption = None,
    basis: BasisOption = Basis.as_known_then,
    as_json: AsJson = False,
) -> None:
    """What publishing a month now would change against what is published: who moves, how far, and why."""
    from pipeline.cycle import rate_month

    settings, policy = inputs()
    with progress() as advance:
        asked = {"mode": mode, "model_version": model, "basis": basis}
        outcome = rate_month(month, settings, policy, **asked, dry_run=True, advance=advance)["publish"]
    if as_json:
        print_json(outcome)
    else:
        show_difference(outcome)


@app.command()
def late(month: Month, as_json: AsJson = False) -> None:
    """What late records changed of a month that was published on both bases: who, how, and by which indices."""
    from pipeline.publishing import late_records
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    found = late_records.late_records(month, settings, policy)
    if as_json:
        print_json(found)
    else:
        show_difference(found)


@app.command()
def backfill(
    first: Annotated[
        RatingMonth | None, typer.Argument(parser=parse_month, metavar="FROM", help="YYYY-MM", show_default=False)
    ] = None,
    last: Annotated[
        RatingMonth | None,
        typer.Argument(parser=parse_month, metavar="TO", help="YYYY-MM, included", show_default=False),
    ] = None,
    mode: ModeOption = Mode.auto,
    model: ModelOption = None,
    basis: BasisOption = Basis.as_known_then,
    stale: Annotated[
        bool, typer.Option("--stale", help="only months built on what has changed since, by the models they have")
    ] = False,
    dry_run: DryRun = False,
    accept_moves: AcceptMoves = False,
    as_json: AsJson = False,
) -> None:
    """Rate a range of months, oldest first; none of them fires an action.

    A month is left as it is where rating it again can only give what is published, so a backfill that broke off goes on
    where it was. --stale goes without a range too.
    """
    from pipeline.cycle import rate_month
    from pipeline.maintenance.backfill import in_order, mend
    from pipeline.warehouse import migrations

    if last is None and not stale:
        raise typer.BadParameter("give the oldest month and the newest, FROM and TO")
    if first and last and last < first:
        raise typer.BadParameter(f"{first} is after {last}: give the oldest month first")
    if stale and (dry_run or model or mode is not Mode.auto or basis is not Basis.as_known_then):
        raise typer.BadParameter("--stale rates a month as it was rated: leave out mode, model, basis and dry run")
    settings, policy = inputs()
    migrations.migrate(settings)
    same = {"run_kind": "backfill", "accept_moves": accept_moves}
    asked = {"mode": mode, "model_version": model, "basis": basis, "dry_run": dry_run}

    def again(month: RatingMonth) -> dict:
        return rate_month(month, settings, policy, **asked, **same, leave_standing=not dry_run)

    def as_it_was(publication) -> dict:
        models = publication.model_versions
        return rate_month(publication.rating_month, settings, policy, basis=publication.basis, models=models, **same)

    outcomes: list[dict[str, Any]] = []
    try:
        with progress() as advance:
            told = partial(_told, advance)
            if stale:
                rated = mend(settings, as_it_was, told, first=first, last=last)
            else:
                rated = in_order(list(RatingMonth.span(first, last)), again, told)
            for outcome in rated:
                outcomes.append(outcome)
    finally:
        if as_json:
            print_json(outcomes)
        elif outcomes:
            _show_outcomes(outcomes)
        elif stale:
            Console(stderr=True).print("no month is stale")
    _tell_stale(outcomes)
    _require_passed(outcomes)


@app.command()
def grades(
    month: Month,
    output: Annotated[Format, typer.Option("--format", help="table shows the first rows; csv and json are whole")] = (
        Format.table
    ),
    out: Annotated[Path | None, typer.Option(metavar="F", help="write to this file")] = None,
    revision: Annotated[int | None, typer.Option(metavar="N", help="one that was replaced since")] = None,
    as_json: AsJson = False,
) -> None:
    """The published grades of a month."""
    from pipeline.publishing.export_grades import export_grades

    wanted = Format.json if as_json else output
    export_grades(Settings.load(), month, wanted.value, out, revision=revision)


@app.command()
def labels(month: Month, basis: BasisOption = Basis.as_known_then, as_json: AsJson = False) -> None:
    """What became of the customers of each cohort that a model trained in that month may learn from."""
    from pipeline.models import cohorts

    settings, policy = inputs()
    rows = cohorts.outcomes(month, settings, policy, basis=basis)
    names = ("cohort", "family", *cohorts.OUTCOMES)
    print_rows(as_json, names, [[row[name] for name in names] for row in rows])


@app.command()
def explain(
    month: Month,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="id of a rated customer")],
    lang: Annotated[Language, typer.Option(help="language of the texts")] = Language.en,
    as_json: AsJson = False,
) -> None:
    """Why a customer has its published grade: points that add up to the score, reasons, what the next grade needs."""
    from pipeline.cli.show_explanation import show
    from pipeline.grading.explain.explanation import explain as explained

    settings, policy = inputs()
    explanation = explained(settings, policy, month, customer, lang.value)
    if as_json:
        print_json(explanation.as_json())
    else:
        show(explanation, Console())


@app.command()
def dictionary(
    out: Annotated[Path | None, typer.Option(metavar="F", help="write to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """What every index, source table and warehouse table means under the policy in force, as Markdown."""
    from pipeline.maintenance.data_dictionary import dictionary, markdown

    _, policy = inputs()
    text = json.dumps(dictionary(policy), indent=1, ensure_ascii=False) + "\n" if as_json else markdown(policy)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}; choose another file with --out") from None


@app.command()
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing, and say what would go")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what the policy's retention no longer keeps: old partitions of the lake, replaced revisions, Data Docs."""
    from pipeline.maintenance.retention import clean as cleaned
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    found = cleaned(settings, policy, dry_run=dry_run)
    if as_json:
        print_json([{name: getattr(one, name) for name in ("kind", "name", "size_bytes")} for one in found])
        return
    table = Table("kind", "would go" if dry_run else "removed", "MB")
    for kind in dict.fromkeys(one.kind for one in found):
        sizes = [one.size_bytes for one in found if one.kind == kind]
        table.add_row(kind, f"{len(sizes):,}", f"{sum(sizes) / 1e6:,.1f}")
    Console().print(table if found else "there is nothing to remove")


@app.command()
def migrate() -> None:
    """Bring the warehouse's tables and views up to date; ``rate`` and ``backfill`` do so by themselves."""
    from pipeline.warehouse import migrations

    done = migrations.migrate(Settings.load())
    typer.echo("\n".join(done) if done else "nothing to migrate")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at connections, source contract, migrations and policy: what is wrong, and how to mend it."""
    from pipeline.maintenance.doctor import examine

    findings = list(examine())
    rows = [(finding.what, "ok" if finding.is_ok else "WRONG", finding.detail) for finding in findings]
    print_rows(as_json, ("what", "state", "detail"), rows)
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def _require_passed(outcomes: list[dict[str, Any]]) -> None:
    """MonitoringError, once all is done and shown, where the models of a month passed a limit."""
    if monitored := [outcome["monitor"] for outcome in outcomes if "monitor" in outcome]:
        from pipeline.monitoring import monitor

        monitor.require_passed(*monitored)


def _show_outcomes(outcomes: list[dict[str, Any]]) -> None:
    names = list(outcomes[0]["grade"]["grades"])
    table = Table("month", *names, "models", "publication")
    for outcome in outcomes:
        published = outcome["publish"]
        state = "changed" if published["changed"] else "as it stands" if published.get("stands") else "unchanged"
        if published.get("dry_run"):
            state = f"dry run: would be {state}"
        else:
            state = f"{state}, revision {published['revision']}"
        models = "retrained" if "retrain" in outcome else "applied"
        table.add_row(outcome["month"], *(f"{count:,}" for count in outcome["grade"]["grades"].values()), models, state)
    Console().print(table)


def _told(advance: Callable[[int, int, str], None], done: int, total: int, what: str) -> None:
    """How far a backfill is: in the bar where somebody looks, else a line a month."""
    advance(done, total, what)
    if not sys.stderr.isatty():
        Console(stderr=True).print(f"{done} of {total} done: {what}", markup=False, highlight=False, soft_wrap=True)


def _tell_stale(outcomes: list[dict[str, Any]]) -> None:
    """Which months are stale after the last of these."""
    stale = [months for outcome in outcomes if (months := outcome["publish"].get("stale_months")) is not None]
    if stale and stale[-1]:
        line = f"built on what has changed since: {', '.join(stale[-1])}; gridgrade backfill --stale rates them again"
        Console(stderr=True).print(line, soft_wrap=True)


def main() -> None:
    """The command line; a refusal is one line, never a traceback."""
    try:
        app()
    except GridgradeError as error:
        Console(stderr=True).print(f"gridgrade: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
