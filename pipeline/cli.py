"""``gridgrade``: the monthly cycle without Airflow, one month at a time, and what one needs around it.

Exit code 0: done. 1: refused or failed, with one line on stderr. 2: the call itself is wrong.
"""

import sys
import uuid
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline import actions_cli
from pipeline.errors import GridgradeError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.terminal import AsJson, Month, inputs, parse_month, print_json, print_rows, progress, status

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
source = typer.Typer(help="Fill a source database: for trying, and for tests.", no_args_is_help=True)
app.add_typer(source, name="source")
app.add_typer(actions_cli.actions, name="actions")
app.add_typer(actions_cli.rebates, name="rebates")


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


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=100, help="size of the sample utility")] = 2000,
    months: Annotated[int, typer.Option(min=20, help="months of its history")] = 36,
    rate_last: Annotated[int, typer.Option(min=1, help="how many of them to rate")] = 3,
    as_json: AsJson = False,
) -> None:
    """Rate a sample utility through Airflow's own scheduler, and say where to look."""
    from pipeline import demo as runner

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
    from pipeline import demo as runner

    runner.up(Settings.load(), Console(stderr=True).print)


@app.command()
def down() -> None:
    """Stop the Airflow and the PostgreSQL that live under GRIDGRADE_HOME."""
    from pipeline import demo as runner

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
    as_json: AsJson = False,
) -> None:
    """Rate one month, from extraction to publication and the actions that follow from it."""
    settings, policy = inputs()
    with progress() as advance:
        outcome = rate_month(
            month, settings, policy, mode=mode, model_version=model, basis=basis, dry_run=dry_run, advance=advance
        )
    if as_json:
        print_json(outcome)
    else:
        _show_outcomes([outcome])


@app.command()
def backfill(
    first: Annotated[RatingMonth, typer.Argument(parser=parse_month, metavar="FROM", help="YYYY-MM")],
    last: Annotated[RatingMonth, typer.Argument(parser=parse_month, metavar="TO", help="YYYY-MM, included")],
    mode: ModeOption = Mode.auto,
    model: ModelOption = None,
    basis: BasisOption = Basis.as_known_then,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Rate a range of months, oldest first; none of them fires an action."""
    if last < first:
        raise typer.BadParameter(f"{first} is after {last}: give the oldest month first")
    settings, policy = inputs()
    months = list(RatingMonth.span(first, last))
    outcomes = []
    with progress() as advance:
        for done, month in enumerate(months):
            advance(done, len(months), str(month))
            asked = {"mode": mode, "model_version": model, "basis": basis, "dry_run": dry_run}
            outcomes.append(rate_month(month, settings, policy, run_kind="backfill", **asked))
        advance(len(months), len(months), "done")
    if as_json:
        print_json(outcomes)
    else:
        _show_outcomes(outcomes)


@app.command()
def grades(
    month: Month,
    output: Annotated[Format, typer.Option("--format", help="table shows the first rows; csv and json are whole")] = (
        Format.table
    ),
    out: Annotated[Path | None, typer.Option(metavar="F", help="write to this file")] = None,
    as_json: AsJson = False,
) -> None:
    """The published grades of a month."""
    from pipeline.export import export_grades

    wanted = Format.json if as_json else output
    export_grades(Settings.load(), month, wanted.value, out)


@app.command()
def migrate() -> None:
    """Bring the warehouse's tables and views up to date; ``rate`` and ``backfill`` do so by themselves."""
    from pipeline.warehouse import migrations

    done = migrations.migrate(Settings.load())
    typer.echo("\n".join(done) if done else "nothing to migrate")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at connections, source contract, migrations and policy: what is wrong, and how to mend it."""
    from pipeline.doctor import examine

    findings = list(examine())
    rows = [(finding.what, "ok" if finding.is_ok else "WRONG", finding.detail) for finding in findings]
    print_rows(as_json, ("what", "state", "detail"), rows)
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def rate_month(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    mode: str = "auto",
    model_version: str | None = None,
    basis: str = "as_known_then",
    dry_run: bool = False,
    run_kind: str = "command",
    advance: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> dict[str, Any]:
    """The cycle in the order of the DAGs; the summaries of its steps by name."""
    from pipeline import extract, grade, group, indices, publish, train, validate
    from pipeline.actions import decide, rebate
    from pipeline.warehouse import migrations

    inputs = (month, settings, policy)
    done: dict[str, Any] = {"month": str(month), "basis": str(basis)}

    def step(name: str, work: Callable[[], dict]) -> dict:
        advance(len(done) - 2, 9, f"{month} {name}")
        done[name] = work()
        return done[name]

    migrations.migrate(settings)
    step("extract", lambda: extract.extract(*inputs, basis=basis))
    step("validate", lambda: validate.validate(*inputs, basis=basis))
    step("compute_indices", lambda: indices.compute_indices(*inputs, basis=basis))
    step("group", lambda: group.group(*inputs, basis=basis))
    if train.choose(*inputs, mode=mode, model_version=model_version) == "retrain":
        models = step("retrain", lambda: train.retrain(*inputs, basis=basis, dry_run=dry_run))["models"]
    else:
        models = step("apply", lambda: train.apply(*inputs, model_version=model_version))["models"]
    step("grade", lambda: grade.grade(*inputs, basis=basis, models=models))
    run_id = f"{run_kind}__{uuid.uuid4()}"
    step("publish", lambda: publish.publish(*inputs, basis=basis, run_id=run_id, run_kind=run_kind, dry_run=dry_run))
    if not dry_run:
        step("decide_actions", lambda: decide.decide_actions(*inputs))
        step("propose_rebates", lambda: rebate.propose_rebates(*inputs))
    advance(9, 9, f"{month} done")
    return done


def _show_outcomes(outcomes: list[dict[str, Any]]) -> None:
    names = list(outcomes[0]["grade"]["grades"])
    table = Table("month", *names, "publication")
    for outcome in outcomes:
        published = outcome["publish"]
        state = "changed" if published["changed"] else "unchanged"
        if published.get("dry_run"):
            state = f"dry run: would be {state}"
        else:
            state = f"{state}, revision {published['revision']}"
        table.add_row(outcome["month"], *(f"{count:,}" for count in outcome["grade"]["grades"].values()), state)
    Console().print(table)


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
