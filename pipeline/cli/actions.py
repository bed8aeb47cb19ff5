"""``gridgrade actions`` and ``gridgrade rebates``: the outbox, and the simulation of rebate campaigns."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from pipeline.cli.console import (
    AsJson,
    Language,
    Month,
    inputs,
    parse_month,
    print_json,
    print_rows,
    print_table,
    progress,
    say,
    write_csv,
)
from pipeline.errors import ActionError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

actions = typer.Typer(help="The outbox: what is to be done, who lets it go, and sending it.", no_args_is_help=True)
rebates = typer.Typer(help="Rebates on repaid arrears.", no_args_is_help=True)

SHOWN_ROWS = 50


class Status(StrEnum):
    proposed = "proposed"
    approved = "approved"
    dispatched = "dispatched"
    acknowledged = "acknowledged"
    blocked = "blocked"
    suppressed = "suppressed"
    failed = "failed"


def _person(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise typer.BadParameter("say who decides, by a name on one line")
    return name.strip()


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an instant, for example 2026-10-20T08:00+08:00") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text} has no time zone: write 2026-10-20T08:00+08:00, or Z for UTC")
    return moment


Ids = Annotated[
    list[UUID] | None, typer.Argument(metavar="ID...", help="actions, as gridgrade actions list shows them")
]
OfMonth = Annotated[
    RatingMonth | None, typer.Option("--month", parser=parse_month, metavar="YYYY-MM", help="all of a rating month")
]
OfType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="all of a type")]
By = Annotated[str, typer.Option("--by", metavar="NAME", parser=_person, help="who decides; it goes on record")]


@actions.command("list")
def show_all(
    month: OfMonth = None,
    action_type: OfType = None,
    status: Annotated[Status | None, typer.Option(help="all with this status")] = None,
    out: Annotated[Path | None, typer.Option(metavar="F.csv", help="write all of them to this file, as CSV")] = None,
    as_json: AsJson = False,
) -> None:
    """The actions of the outbox, newest month first."""
    from pipeline.actions.outbox import approval

    settings, _ = _ready()
    found = approval.listed(settings, month=month, action_type=action_type, status=status and status.value)
    if as_json:
        print_json([dict(row) for row in found])
        return
    names = ("id", "month", "type", "customer", "status", "channel", "why")
    if out is not None:
        write_csv(names, map(_listed, found), out)
        return
    rows = [_listed(row) for row in islice(found, SHOWN_ROWS)]
    more = sum(1 for _ in found)
    caption = f"{SHOWN_ROWS} of {SHOWN_ROWS + more:,}; --out F.csv and --json give all" if more else None
    print_table(names, rows, caption=caption)


@actions.command("show")
def show_one(action: Annotated[UUID, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """All fields of an action, and its history: who changed what, and when."""
    from pipeline.actions.outbox import approval

    settings, _ = _ready()
    found = approval.found(settings, action)
    if as_json:
        print_json(found)
        return
    events = found.pop("events")
    print_table(("", ""), [(name, str(value)) for name, value in found.items() if value is not None])
    record = [
        (f"{event['changed_at']:%Y-%m-%d %H:%M:%S}", event["status"], event["changed_by"], event["note"])
        for event in events
    ]
    print_table(("when", "status", "by", "note"), record)


@actions.command()
def approve(by: By, ids: Ids = None, month: OfMonth = None, action_type: OfType = None) -> None:
    """Approve proposed actions: these, or all of a month and type."""
    from pipeline.actions.outbox import approval

    settings, policy = _ready()
    _say("approved", approval.approve(settings, policy, _chosen(ids, month, action_type), by))


@actions.command()
def deny(
    by: By,
    reason: Annotated[str, typer.Option(metavar="TEXT", parser=_person, help="why; it goes on record")],
    ids: Ids = None,
    month: OfMonth = None,
    action_type: OfType = None,
) -> None:
    """Suppress actions that have not been sent: they are not proposed again."""
    from pipeline.actions.outbox import approval

    settings, _ = _ready()
    _say("denied", approval.deny(settings, _chosen(ids, month, action_type), by, reason))


@actions.command()
def release(by: By, ids: Ids = None, month: OfMonth = None, action_type: OfType = None) -> None:
    """Restart suppressed or failed actions: approved where their type needs no person, else proposed."""
    from pipeline.actions.outbox import approval

    settings, policy = _ready()
    _say("released", approval.release(settings, policy, _chosen(ids, month, action_type), by))


@actions.command()
def ack(by: By, ids: Ids = None, month: OfMonth = None, action_type: OfType = None) -> None:
    """Record that dispatched actions are done."""
    from pipeline.actions.outbox import approval

    settings, _ = _ready()
    _say("acknowledged", approval.acknowledge(settings, _chosen(ids, month, action_type), by))


@actions.command()
def decide(month: Month, as_json: AsJson = False) -> None:
    """Decide who gets which service measure, from what is published of a month."""
    from pipeline.actions.measures import decide as decider

    outcome = decider.decide_actions(month, *_ready())
    if as_json:
        print_json(outcome)
        return
    rows = [(name, count, outcome["blocked"].get(name, 0)) for name, count in outcome["decided"].items()]
    print_rows(False, ("measure", "actions", "of these blocked"), rows)
    _say("changed", outcome["changed"])


@actions.command()
def notices(
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=_instant, metavar="ISO", help="the moment, with its zone: 2026-10-20T08:00+08:00 (default: now)"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose notices of planned outages and escalations of trouble reports, as of a moment. A person approves them."""
    from pipeline.actions.outages import notify

    settings, policy = _ready()
    moment = at or datetime.now(UTC)
    found = notify.escalate_repairs(moment, settings, policy) | notify.notify_outages(moment, settings, policy)
    if as_json:
        print_json(found)
    else:
        print_rows(False, ("what", "number"), [(name, count) for name, count in found.items() if name != "at"])


@actions.command()
def dispatch(as_json: AsJson = False) -> None:
    """Send all approved actions that can be sent now; show why the others wait."""
    from pipeline.actions.outbox import dispatch as dispatcher

    outcome = dispatcher.dispatch(*_ready())
    if as_json:
        print_json(outcome)
        return
    counts = {name: outcome[name] for name in ("approved", "to_approve", "postponed", "failed", "suppressed")}
    sent = {f"dispatched by {name}": count for name, count in outcome["dispatched"].items()}
    print_rows(False, ("actions", "number"), (sent | counts).items())
    if outcome["waiting"]:
        names = ("channel", "action_type", "actions", "because")
        print_rows(False, names, [[row[name] or "" for name in names] for row in outcome["waiting"]])


@actions.command()
def preview(
    action_type: Annotated[str, typer.Argument(metavar="TYPE")],
    lang: Annotated[Language | None, typer.Option(help="language (default: the policy's)")] = None,
    action: Annotated[UUID | None, typer.Option(metavar="ID", help="an action to take the fields from")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the letter of a type, with sample fields or those of an action."""
    from pipeline.actions.channels.letters import Letters

    _, policy = inputs()
    letters = Letters(policy)
    language: Literal["en", "zh"] | None = "zh" if lang == Language.zh else "en" if lang else None
    if action is None:
        letter = letters.write_sample(action_type, language)
    else:
        letter = letters.write(action_type, **_fields(action, action_type), language=language)
    if as_json:
        print_json(vars(letter))
    else:
        say(letter.subject, "", *letter.text.splitlines())


@rebates.command()
def simulate(
    first: Annotated[RatingMonth, typer.Option("--from", parser=parse_month, metavar="YYYY-MM", help="first month")],
    last: Annotated[RatingMonth, typer.Option("--to", parser=parse_month, metavar="YYYY-MM", help="last month")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="a campaign of the policy")] = None,
    share: Annotated[float | None, typer.Option(help="of the arrears that has to be repaid, 0 to 1")] = None,
    rate: Annotated[float | None, typer.Option(help="of what was repaid that comes back, 0 to 1")] = None,
    cap: Annotated[float | None, typer.Option(help="on a customer's rebate")] = None,
    budget: Annotated[float | None, typer.Option(help="on all rebates of a campaign together")] = None,
    months: Annotated[int | None, typer.Option(min=1, help="how long a campaign lasts (default: NAME's, or 1)")] = None,
    as_json: AsJson = False,
) -> None:
    """What a campaign would have cost, and recovered, in months that are over; options change NAME's terms."""
    from pipeline.actions.rebates import simulation

    settings, policy = inputs()
    plan = simulation.Plan.of(policy, name, months, share=share, rate=rate, cap=cap, budget=budget)
    with progress() as advance:
        rows = simulation.simulate(plan, first, last, settings, policy, advance)
    together = simulation.total(rows)
    if as_json:
        print_json({"campaigns": rows, "total": together})
        return
    table = []
    for row in [*rows, together]:
        months_text = " to ".join(dict.fromkeys((row["first_month"], row["last_month"])))
        overdue, repaid, cost = (f"{Decimal(row[each]):,}" for each in ("opening_arrears", "repaid", "cost"))
        recovered = "" if row["recovery_rate"] is None else f"{row['recovery_rate']:.1%}"
        table.append(
            (months_text, row["customers_in_arrears"], row["customers_rewarded"], overdue, repaid, recovered, cost)
        )
    headings = ("months", "in arrears", "rewarded", "overdue", "repaid", "recovery", "cost")
    print_table(headings, table, title=plan.name, last_rows=1)


def _ready() -> tuple[Settings, Policy]:
    """Settings and policy, with the warehouse up to date."""
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    return settings, policy


def _chosen(ids: list[UUID] | None, month: RatingMonth | None, action_type: str | None):
    from pipeline.actions.outbox.approval import Chosen

    if bool(ids) == bool(month or action_type):
        raise typer.BadParameter("name actions by their ids, or by --month and --type, not both")
    return Chosen(ids or (), month, action_type)


def _say(verb: str, number: int) -> None:
    typer.echo(f"{number:,} {verb}")


def _listed(row: Mapping[str, Any]) -> tuple[str, ...]:
    """An action of the outbox in one line."""
    status = f"{row['status']} ({row['suppressed_by']})" if row["suppressed_by"] else row["status"]
    why = row["last_error"] or row["blocked_by"] or row["reason"]
    month = f"{row['rating_month']:%Y-%m}"
    return str(row["action_id"]), month, row["action_type"], row["customer_id"], status, row["channel"] or "", why


def _fields(action: UUID, action_type: str) -> dict[str, Any]:
    """What the letter of an action is written from."""
    from pipeline.actions.outbox import approval

    settings, _ = _ready()
    found = approval.found(settings, action)
    if found["action_type"] != action_type:
        raise ActionError(
            f"action {action} is of type {found['action_type']}: gridgrade actions preview {found['action_type']}"
        )
    facts = {"action_id": str(action), "month": RatingMonth.of(found["rating_month"])}
    return facts | {name: found[name] for name in ("customer_id", "reason", "payload", "due_at")}
