"""``gridgrade customer`` and ``gridgrade override``: one customer exported or erased, grades set by hand for a time."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from pipeline import private
from pipeline.cli.console import AsJson, inputs, parse_month, print_json, print_table, say
from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

customer = typer.Typer(help="One customer: export what is kept, erase it.", no_args_is_help=True)
override = typer.Typer(help="Grades set by hand: who, why, from when and until when.", no_args_is_help=True)

_ID = "id, as the billing system names it"
By = Annotated[str, typer.Option("--by", metavar="NAME", help="who decides")]


@customer.command()
def export(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help=_ID)],
    out: Annotated[Path | None, typer.Option(metavar="F.json", help="write to this file, for its owner alone")] = None,
) -> None:
    """Everything that lake and warehouse keep of a customer, as one JSON document."""
    from pipeline.privacy.export import export as exported

    settings, _ = _ready()
    document = exported(settings, customer_id)
    if out is None:
        print_json(document)
        return
    try:
        private.write_file(out, json.dumps(document, indent=1, default=str) + "\n")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}; choose another file with --out") from None
    rows = sum(len(rows) for held in ("lake", "warehouse") for rows in document[held].values())
    say(f"{out}: {rows:,} rows of customer {customer_id}")


@customer.command()
def erase(
    customers: Annotated[list[str], typer.Argument(metavar="ID...", help=_ID)],
    by: By,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why; it goes on record, so name nobody")],
    yes: Annotated[bool, typer.Option("--yes", help="do it; without this, only say what would go")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase customers: records leave the lake, published rows stay under a pseudonym. It cannot be taken back."""
    from pipeline.privacy import erase as eraser

    if not (by.strip() and reason.strip()):
        raise typer.BadParameter("say who decides, and why")
    settings, policy = _ready()
    chosen = list(dict.fromkeys(customers))
    found = (
        eraser.erase(settings, policy, chosen, erased_by=by, reason=reason) if yes else eraser.survey(settings, chosen)
    )
    if as_json:
        print_json({"erased": yes, "rows": found})
        return
    print_table(("table", "rows erased" if yes else "rows"), sorted(found.items()))
    if yes:
        say(
            "erased; what the billing system still has of it is left out of what is extracted: "
            "erase it there, and in backups"
        )
    else:
        say("nothing was changed: this cannot be taken back, --yes does it")


@override.command()
def add(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help=_ID)],
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


@override.command()
def end(
    override_id: Annotated[str, typer.Argument(metavar="ID", help="as gridgrade override list shows it")],
    by: By,
    as_json: AsJson = False,
) -> None:
    """Take an override back. Months whose cut-off it was in force at keep it."""
    from pipeline.warehouse import overrides

    settings, _ = _ready()
    _print(as_json, [overrides.end(settings, override_id, by)])


@override.command("list")
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
