"""One query a partition: nulls, types, ranges, enumerations and dates row by row, keys that are there twice or were
there before, and references that lead nowhere. It counts, and says nothing about which row failed what."""

from collections.abc import Iterator
from typing import Any

from benchmarks.floors import agree, connect


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from benchmarks.floors import texts
    from pipeline.lake import Lake

    lake = Lake.of(settings)
    given = texts.database(settings, policy, folder) | {"timezone": policy.timezone}
    queries = {f"{table.name} {of}": _query(table, of, month, lake, policy) for table, of in _checked(lake, step)}
    return given | {"queries": queries}


def run(given: dict[str, Any]) -> dict[str, list[int]]:
    with connect(given) as database:
        return {name: list(database.execute(query).fetchone()) for name, query in given["queries"].items()}


def compare(month, settings, policy, folder, step, made) -> dict[str, int]:
    from pipeline.lake import QUARANTINE, Lake, fact_key

    lake, ours = Lake.of(settings), {}
    for table, of in _checked(lake, step):
        manifest = lake.manifest(QUARANTINE + table.name, **{fact_key(table.name): of})
        named_nothing = [each["rows_failed"] for each in manifest["results"] if each["severity"] == "warn"]
        ours[f"{table.name} {of}"] = [manifest["rows"], sum(named_nothing)]
    for name in sorted(ours.keys() | made.keys()):
        agree(f"rows of {name} that fail, and that name nothing", made.get(name), ours.get(name))
    return {"partitions": len(ours), "failing": sum(failing for failing, _ in ours.values())}


def _checked(lake, step) -> Iterator[tuple[Any, Any]]:
    """Table and month of the partitions that the step checked."""
    from pipeline.lake import QUARANTINE, fact_key
    from pipeline.source import contract

    for table in contract().values():
        for of in lake.facts(table.name):
            key = {fact_key(table.name): of}
            name = QUARANTINE + table.name
            if lake.has(name, **key) and lake.manifest(name, **key)["written_at"] >= step["began"]:
                yield table, of


def _query(table, of, month, lake, policy) -> str:
    from pathlib import Path

    from benchmarks.floors.texts import file_list
    from pipeline.lake import fact_key
    from pipeline.source.contract import COUNTED_ONLY, contract

    def files(name: str, months) -> str:
        key = fact_key(name)
        return file_list([file for each in months for file in lake.files(name, **{key: each})])

    key = ", ".join(table.key)
    given = " and ".join(f"{column} is not null" for column in table.key)
    before = [] if table.snapshot else [each for each in lake.facts(table.name) if each < of]
    refused, counted = [], []
    for reference in table.references:
        to = contract()[reference.table]
        known = [each for each in lake.facts(to.name) if (each == month if to.snapshot else each <= of)]
        beginning = None if to.snapshot else lake.beginning(to.name)
        if beginning is None or of >= beginning + policy.validation.reference_grace_months:
            query = (
                f"select f.place from fresh as f anti join read_parquet({files(to.name, known)}) as k "
                f"on k.{reference.referred_column} = f.{reference.column} where f.{reference.column} is not null"
            )
            (counted if reference.name in COUNTED_ONLY else refused).append(query)
    return (
        Path(__file__)
        .with_suffix(".sql")
        .read_text(encoding="utf-8")
        .format(
            facts=files(table.name, [of]),
            sound=" and ".join(f"({condition})" for condition in _sound(table, of, policy)),
            key=key,
            earlier=f"union all select f.place from fresh as f semi join read_parquet({files(table.name, before)}) "
            f"as e using ({key}) where {given}"
            if before
            else "",
            references=" ".join(f"union all {query}" for query in refused),
            named_nothing=f"(select count(*) from ({counted[0]}))" if counted else "0",
        )
    )


def _sound(table, of, policy) -> Iterator[str]:
    """What holds of a sound row. Null is sound but where it may not be."""
    validation, begins, ends = policy.validation, (of - 1).cutoff(policy.timezone), of.cutoff(policy.timezone)
    yield "_wrong_types is null"
    yield from (f"{column} is not null" for column in table.required_columns)
    yield f"recorded_at < timestamptz '{ends}'"
    if not table.snapshot:
        yield f"recorded_at >= timestamptz '{begins}'"
    for check in table.checks:
        if check.name == "payments_paid_before_recorded":
            yield f"paid_on <= cast(recorded_at as date) + {validation.post_dated_payment_days}"
        else:
            yield check.sql
    if table.name == "bills":
        yield f"due_on <= issued_on + {validation.max_days_to_due}"
        yield f"due_on >= billing_month - {validation.max_days_to_due}"
    most = validation.max_balance if table.name == "financial_statements" else validation.max_amount
    limits = {"DECIMAL(18, 2)": most, "DECIMAL(18, 3)": validation.max_energy}
    for column in table.columns:
        if limit := limits.get(column.sql_type):
            yield f"abs({column.name}) <= {limit}"
