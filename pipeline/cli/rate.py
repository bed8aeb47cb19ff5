"""Rate months: ``rate``, ``diff``, ``late`` and ``backfill``."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from pipeline.cli.console import (
    AsJson,
    FirstMonth,
    LastMonth,
    Month,
    inputs,
    print_json,
    print_table,
    progress,
    require_chronological,
    say,
)
from pipeline.cli.options import AcceptMoves, Basis, BasisOption, DryRun, Mode, ModelOption, ModeOption
from pipeline.cli.show.comparison import show_difference
from pipeline.month import RatingMonth

app = typer.Typer()


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
    asked: dict[str, Any] = {
        "mode": mode,
        "model_version": model,
        "basis": basis,
        "dry_run": dry_run,
        "accept_moves": accept_moves,
    }
    with progress() as advance:
        outcome = rate_month(month, settings, policy, **asked, advance=advance)
    if as_json:
        print_json(outcome)
    else:
        _show_outcomes([outcome])
        if dry_run:
            show_difference(outcome["publish"])
    _warn_of_stale([outcome])
    _require_passed([outcome])


@app.command()
def diff(
    month: Month,
    mode: ModeOption = Mode.auto,
    model: ModelOption = None,
    basis: BasisOption = Basis.as_known_then,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a month now would change: which customers' grades, by how much, and why."""
    from pipeline.cycle import rate_month

    settings, policy = inputs()
    with progress() as advance:
        asked: dict[str, Any] = {"mode": mode, "model_version": model, "basis": basis}
        outcome = rate_month(month, settings, policy, **asked, dry_run=True, advance=advance)["publish"]
    if as_json:
        print_json(outcome)
    else:
        show_difference(outcome)


@app.command()
def late(month: Month, as_json: AsJson = False) -> None:
    """Show what late records changed in a month published on both bases: which customers, how, and by which indices."""
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
    first: FirstMonth = None,
    last: LastMonth = None,
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
    """Rate a range of months in chronological order; none of them fires an action.

    A month that is up to date is skipped, so a backfill that was interrupted continues where it stopped. --stale
    works without a range too.
    """
    from pipeline.cycle import rate_month
    from pipeline.maintenance.backfill import in_order, rerate_stale
    from pipeline.warehouse import migrations

    if last is None and not stale:
        raise typer.BadParameter("give the oldest month and the newest, FROM and TO")
    require_chronological(first, last)
    if stale and (dry_run or model or mode is not Mode.auto or basis is not Basis.as_known_then):
        raise typer.BadParameter("--stale rates a month as it was rated: leave out mode, model, basis and dry run")
    settings, policy = inputs()
    migrations.migrate(settings)
    same: dict[str, Any] = {"run_kind": "backfill", "accept_moves": accept_moves}
    asked: dict[str, Any] = {"mode": mode, "model_version": model, "basis": basis, "dry_run": dry_run}

    def again(month: RatingMonth) -> dict:
        return rate_month(month, settings, policy, **asked, **same, skip_unchanged=not dry_run)

    def as_it_was(publication) -> dict:
        models = publication.model_versions
        return rate_month(publication.rating_month, settings, policy, basis=publication.basis, models=models, **same)

    outcomes: list[dict[str, Any]] = []
    try:
        with progress() as advance:
            report = partial(_show_progress, advance)
            if stale or first is None or last is None:
                rated = rerate_stale(settings, as_it_was, report, first=first, last=last)
            else:
                rated = in_order(list(RatingMonth.span(first, last)), again, report)
            for outcome in rated:
                outcomes.append(outcome)
    finally:
        if as_json:
            print_json(outcomes)
        elif outcomes:
            _show_outcomes(outcomes)
        elif stale:
            say("no month is stale", stderr=True)
    _warn_of_stale(outcomes)
    _require_passed(outcomes)


def _require_passed(outcomes: list[dict[str, Any]]) -> None:
    """MonitoringError, once all is done and shown, where the models of a month passed a limit."""
    if monitored := [outcome["monitor"] for outcome in outcomes if "monitor" in outcome]:
        from pipeline.monitoring import monitor

        monitor.require_passed(*monitored)


def _show_outcomes(outcomes: list[dict[str, Any]]) -> None:
    names = list(outcomes[0]["grade"]["grades"])
    rows = []
    for outcome in outcomes:
        published = outcome["publish"]
        state = "changed" if published["changed"] else "up to date" if published.get("up_to_date") else "unchanged"
        if published.get("dry_run"):
            state = f"dry run: would be {state}"
        else:
            state = f"{state}, revision {published['revision']}"
        models = "retrained" if "retrain" in outcome else "applied"
        rows.append((outcome["month"], *outcome["grade"]["grades"].values(), models, state))
    print_table(("month", *names, "models", "publication"), rows)


def _show_progress(advance: Callable[[int, int, str], None], done: int, total: int, what: str) -> None:
    """Progress of a backfill: a bar on a terminal, else one line per month."""
    advance(done, total, what)
    if not sys.stderr.isatty():
        say(f"{done} of {total} done: {what}", stderr=True)


def _warn_of_stale(outcomes: list[dict[str, Any]]) -> None:
    """Which months are stale after the last of these."""
    stale = [months for outcome in outcomes if (months := outcome["publish"].get("stale_months")) is not None]
    if stale and stale[-1]:
        line = f"built on what has changed since: {', '.join(stale[-1])}; gridgrade backfill --stale rates them again"
        say(line, stderr=True)
