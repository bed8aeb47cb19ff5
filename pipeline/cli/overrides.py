"""``gridgrade override``: grades that a person sets by hand, for a time."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline.cli.console import AsJson, inputs, parse_month, print_json, print_table, say
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

app = typer.Typer(help="Grades set by hand: who, why, from when and until when.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", metavar="NAME", help="who decides")]


@app.command()
def add(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="id, as the billing system names it")],
    grade: Annotated[str, typer.Option(metavar="G", help="the grade; with --veto the best one allowed")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why")],
    by: By,
    first: Annotated[
        RatingMonth | None,
        typer.Option("--from", parser=parse_month, metavar="YYYY-MM", help="first month it holds (default: this one)"),
    ] = None,
    last: Annotated[
        RatingMonth | None,
        typer.Option("--until", parser=parse_month, metavar="YYYY-MM", help="last month (default: until it is ended)"),
    ] = None,
    veto: Annotated[bool, typer.Option("--veto", help="bar better grades, in place of setting one")] = False,
    as_json: AsJson = False,
) -> None:
    """Set a customer's grade, or bar better ones. Holds from the next rating on; months that are over do not change."""
    from pipeline.warehouse import overrides

    settings, policy = _ready()
    entered = overrides.add(
        settings,
        policy,
        customer_id=customer,
        kind=overrides.VETO if veto else overrides.OVERRIDE,
        grade=grade,
        reason=reason,
        created_by=by,
        first=first or RatingMonth.of(datetime.now(ZoneInfo(policy.timezone)).date()),
        last=last,
    )
    _print(as_json, [entered])
    if overrides.is_unknown(settings, customer):
        say(
            f"{customer} is not among the customers of the latest published month: is that the id you mean?",
            stderr=True,
        )


@app.command()
def end(
    override_id: Annotated[str, typer.Argument(metavar="ID", help="as gridgrade override list shows it")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Take an override back. Months whose cut-off it was in force at keep it."""
    from pipeline.warehouse import overrides

    settings, _ = _ready()
    _print(as_json, [overrides.end(settings, override_id, by)])


@app.command("list")
def show_all(as_json: AsJson = False) -> None:
    """Every override there was, the newest first."""
    from pipeline.warehouse import overrides

    settings, _ = _ready()
    _print(as_json, overrides.listed(settings))


def _ready() -> tuple[Settings, Policy]:
    from pipeline.warehouse.migrations import migrate

    settings, policy = inputs()
    migrate(settings)
    return settings, policy


def _print(as_json: bool, overrides: list) -> None:
    if as_json:
        print_json([{name: getattr(one, name) for name in one.__dataclass_fields__} for one in overrides])
        return
    rows = [
        (
            one.override_id,
            one.customer_id,
            f"no better than {one.grade}" if one.kind == "veto" else one.grade,
            f"{RatingMonth.of(one.valid_from)} {f'to {RatingMonth.of(one.valid_until)}' if one.valid_until else 'on'}",
            one.created_by,
            one.reason,
            f"{one.revoked_at:%Y-%m-%d} by {one.revoked_by}" if one.revoked_at else "",
        )
        for one in overrides
    ]
    print_table(("id", "customer", "grade", "months", "by", "why", "ended"), rows)
