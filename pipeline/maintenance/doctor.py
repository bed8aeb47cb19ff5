"""``gridgrade doctor``: checks everything that a month needs, and says how to fix what is wrong."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import resources
from pipeline.errors import ConfigError, GridgradeError, SourceContractError
from pipeline.policy import Policy
from pipeline.private import is_open_to_others
from pipeline.settings import Settings
from pipeline.source import SourceTable, contract

if TYPE_CHECKING:
    from pipeline.source.read import BillingSystem, ExtractQuery


@dataclass(frozen=True)
class Finding:
    what: str
    is_ok: bool
    detail: str


def examine(load_settings: Callable[[], Settings] = Settings.load) -> Iterator[Finding]:
    """Yield the finding of each check; a failed check does not stop the next."""
    from pipeline.source.read import BillingSystem

    try:
        settings = load_settings()
    except GridgradeError as error:
        yield Finding("settings", False, str(error))
        return
    if (folder := resources.project()) is not None:
        yield _look("project", partial(_project, folder))
    yield _look("home", partial(_home, settings))
    yield _look("policy", partial(_policy, settings))
    yield _look("lake", partial(_lake, settings))
    yield _look("engine", partial(_engine, settings))
    for table in contract().values():
        yield _look(f"source {table.name}", partial(_table, settings, table, BillingSystem))
    yield _look("warehouse", partial(_warehouse, settings))
    for channel in ("webhook", "email"):
        yield _look(f"channel {channel}", partial(_channel, settings, channel))


def _look(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except GridgradeError as error:
        return Finding(what, False, str(error))


def _project(folder: Path) -> str:
    from pipeline.maintenance.new_project import replacements

    described = [
        f"{one.path} ({'in place of ours' if one.replaces else 'added'}"
        f"{', which has changed since it was copied' if one.is_outdated else ''})"
        for one in replacements(folder)
    ]
    return f"{folder}: {', '.join(described) or 'no file of it is used yet'}"


def _home(settings: Settings) -> str:
    for folder in (settings.home, settings.lake_path):
        if isinstance(folder, Path) and is_open_to_others(folder):
            raise ConfigError(
                f"other users of this machine can enter {folder}, which holds customers' records: chmod 700"
            )
    return str(settings.home)


def _policy(settings: Settings) -> str:
    policy = Policy.load(settings.policy)
    return f"{settings.policy or 'the default'}, sha256 {policy.sha256[:12]}"


def _lake(settings: Settings) -> str:
    from pipeline.lake import Lake

    Lake.of(settings).probe()
    return str(settings.lake_path)


def _engine(settings: Settings) -> str:
    from pipeline.engine import open_engine
    from pipeline.engine.queries import compose

    with open_engine(settings) as engine:
        with closing(engine.batches(compose("select 1 as there"))) as batches:
            batches.read_all()
        return engine.described


def _table(settings: Settings, table: SourceTable, open_source: Callable) -> str:
    from pipeline.ingest.extract import count_undated
    from pipeline.source.read.query_text import location

    policy = Policy.load(settings.policy)
    with open_source(settings.source, policy.timezone) as source:
        query = source.query(table)
        if query is None:
            return "absent, optional: its indices will be missing"
        if names := query.without_total:
            raise SourceContractError(
                f"{table.name}: the total of {names[0]} cannot be computed, it is not a number there: write "
                f"cast({names[0]} as decimal(18, 2)) as {names[0]} in {location(table)}"
            )
        has_months = "recorded_at" in table.column_names
        undated = count_undated(query, source, policy) if has_months else 0
        source.require_cents(query)
        twins = _ids_in_two_cases(source, query)
    absent = [column for column in table.column_names if column not in query.columns]
    notes = [f"without {', '.join(absent)}, optional"] if absent else []
    notes += (
        [f"{', '.join(query.zoneless)} without a zone, taken as {source.default_time_zone}"] if query.zoneless else []
    )
    notes += [f"{undated:,} rows without a usable recorded_at are in no month"] if undated else []
    notes += ["rows without a usable recorded_at cannot be counted in this query"] if undated is None else []
    notes += twins
    return "; ".join(notes) or "as the contract says"


def _ids_in_two_cases(source: "BillingSystem", query: "ExtractQuery") -> list[str]:
    """What to say of ids that differ only in case: those of the table, and those by which it names rows of others."""
    table, notes = query.table, []
    own = table.key[0]
    has_ids = own not in {"billing_month", *(reference.column for reference in table.references)}
    if has_ids and (twins := source.ids_in_two_cases(query, own)):
        notes.append(f"ids that differ only in case, such as {twins[0]}")
    for reference in table.references:
        to = None
        if reference.column in query.columns:
            with suppress(SourceContractError):  # the other table's own finding
                to = source.query(contract()[reference.table])
        if to and (twins := source.ids_in_two_cases(query, reference.column, (to, reference.referred_column))):
            notes.append(f"{reference.column} is in {reference.table} only in another case, such as {twins[0]}")
    return notes


def _channel(settings: Settings, channel: str) -> str:
    """The address of a channel. It may be missing where the policy does not use it; otherwise actions wait for it."""
    from pipeline.actions.channels import configuration

    policy = Policy.load(settings.policy)
    users = ", ".join(name for name, each in policy.actions.types.items() if channel in each.channels)
    if reason := configuration.missing(settings, channel):
        if users:
            raise ConfigError(f"{reason}: until then these actions wait, and nothing else does: {users}")
        return "not set up, and not used by the policy"
    if channel == "webhook":
        where = configuration.usable_webhook(settings, policy.actions.channels.webhook).where
    else:
        where = configuration.usable_mail_server(settings, policy.actions.channels.email).where
    return f"{where}, used by {users or 'no type of the policy'}"


def _warehouse(settings: Settings) -> str:
    from pipeline.errors import NotPublishedError, WarehouseUnavailableError
    from pipeline.warehouse import publications
    from pipeline.warehouse.audit import damage, way_out
    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.migrations import pending

    if waiting := pending(settings):
        raise WarehouseUnavailableError(
            f"{len(waiting)} migrations have not run ({', '.join(waiting)}): gridgrade migrate runs them"
        )
    with transaction(settings) as connection:
        latest = publications.latest(connection)
        for published in publications.published(connection):
            if found := damage(connection, published, at_a_glance=True):
                raise NotPublishedError(
                    f"{published.rating_month} is not as it was published: {found[0]}; {way_out(published)}, "
                    "gridgrade audit looks at every row"
                )
    return f"up to date, latest publication {latest.rating_month}" if latest else "up to date, nothing published yet"
