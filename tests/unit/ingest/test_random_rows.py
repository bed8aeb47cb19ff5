"""Ten thousand random rows of a billing system: each is read as a fact, in quarantine with a reason, or counted."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import duckdb
import psycopg

from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.lake import QUARANTINE, Lake, fact_key
from tests.support.records.billing import CUSTOMERS, MONTHS, OCTOBER, bill, fill, in_source, payment, records

ROWS = 5_000  # of bills, and of payments
MARK = {"bills": "kwh", "payments": "channel"}
Row = dict[str, Any]
Fault = Callable[[Row, random.Random], Row]
# What makes a row wrong in every case, and what leaves it right.
WRONG: dict[str, Fault] = {
    "no id": lambda row, _: {_key(row): None},
    "an id of blanks": lambda row, drawn: {_key(row): drawn.choice(["", " ", "\t ", "\u00a0", "\u3000"])},
    "no customer": lambda row, _: {"customer_id": None},
    "a customer of blanks": lambda row, _: {"customer_id": "   "},
    "an unknown customer": lambda row, drawn: {"customer_id": f"X{drawn.randrange(1_000)}"},
    "another case": lambda row, _: {"customer_id": str(row["customer_id"]).lower()},
    "no amount": lambda row, _: {"amount": None},
    "no number": lambda row, drawn: {"amount": drawn.choice(["NaN", "Infinity", "-Infinity"])},
    "an absurd amount": lambda row, drawn: {"amount": drawn.choice(["100000000.01", "1e20", "500000000000000"])},
    "no day": lambda row, _: {_day(row): None},
    "a day that is none": lambda row, drawn: {_day(row): drawn.choice(["soon", "2026-02-30", "", "20261301"])},
    "a day without its century": lambda row, _: {_day(row): "0026-08-01"},
    "a day without an end": lambda row, drawn: {_day(row): drawn.choice(["infinity", "9999-12-31", "-infinity"])},
}
BELOW_ZERO: dict[str, Fault] = {  # of a bill that is a credit note
    "a negative amount": lambda row, drawn: {"amount": f"-{drawn.randrange(1, 10_000)}"},
}
NO_MONTH: dict[str, Fault] = {
    "recorded never": lambda row, _: {"recorded_at": None},
    "recorded at no time": lambda row, drawn: {"recorded_at": drawn.choice(["infinity", "-infinity", "9999-12-31"])},
    "recorded before 1900": lambda row, drawn: {"recorded_at": f"{drawn.randrange(1, 1900):04}-06-01"},
}
RIGHT: dict[str, Fault] = {
    "padded": lambda row, drawn: {"customer_id": f"{row['customer_id']}{' ' * drawn.randrange(1, 9)}"},
    "an odd id": lambda row, drawn: {_key(row): drawn.choice("'\";,电é\\%:") + str(row[_key(row)])},
    "a reference of blanks": lambda row, _: {("bill_id" if "payment_id" in row else "cancels_bill_id"): " "},
}


def _key(row: Row) -> str:
    return "payment_id" if "payment_id" in row else "bill_id"


def _day(row: Row) -> str:
    return "paid_on" if "payment_id" in row else "issued_on"


def _drawn(
    make: Callable[..., Row], drawn: random.Random, right: dict, wrong: dict
) -> tuple[list[Row], list[set[str]]]:
    """Rows, and the names of what was done to each; some have the id of another."""
    rows, done = [], []
    for number in range(ROWS):
        month = drawn.choice(MONTHS)
        row = make(drawn.randrange(CUSTOMERS), month, amount=f"{drawn.randrange(1, 99_999)}.{drawn.randrange(100):02}")
        row |= {_key(row): f"R{number}", "recorded_at": row["recorded_at"] + timedelta(hours=drawn.randrange(240))}
        faults = {}
        for pool, share in ((right, 0.3), (wrong, 0.5), (NO_MONTH, 0.15)):
            if drawn.random() < share:
                faults |= {name: pool[name] for name in drawn.sample(sorted(pool), drawn.randint(1, 2))}
        for fault in faults.values():
            row |= fault(row, drawn)
        if rows and drawn.random() < 0.05 and not faults.keys() & {"no id", "an id of blanks"}:
            row[_key(row)] = drawn.choice(rows)[_key(row)]
        rows.append(row)
        done.append(set(faults))
    return rows, done


def _insert(settings, table: str, rows: list[Row]) -> None:
    """Append to a table; each row's number is its ``mark``."""
    url = settings.source.set(drivername="postgresql").render_as_string(hide_password=False)
    names = sorted({name for row in rows for name in row} - {MARK[table]})
    statement = f"copy {table} ({', '.join(names)}, {MARK[table]}) from stdin"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number, row in enumerate(rows):
            copy.write_row([*(row.get(name) for name in names), number])


def test_every_row_is_a_fact_or_in_quarantine_with_a_reason_or_counted(settings, policy):
    drawn = random.Random(1)
    fill(settings, records())
    for table, loose in (("bills", ("issued_on", "due_on")), ("payments", ("paid_on",))):
        in_source(
            settings,
            f"alter table {table} {', '.join(f'alter column {name} type text' for name in loose)}",
            f"alter table {table} alter column amount type numeric, alter column amount drop not null",
            f"update {table} set {MARK[table]} = null",
        )
    made = {
        "bills": _drawn(bill, drawn, RIGHT | BELOW_ZERO, WRONG),
        "payments": _drawn(payment, drawn, RIGHT, WRONG | BELOW_ZERO),
    }
    for table, (rows, _) in made.items():
        _insert(settings, table, rows)
    limits = {"quarantine_limit": 1.0, "undated_limit": 1.0, "reference_grace_months": 0}
    loose_policy = policy.model_copy(update={"validation": policy.validation.model_copy(update=limits)})
    counted = extract(OCTOBER, settings, loose_policy)["undated"]
    validate(OCTOBER, settings, loose_policy)
    for table, (rows, done) in made.items():
        facts, failed = _in_lake(settings, table)
        wrong = WRONG.keys() | (BELOW_ZERO.keys() if table == "payments" else set())
        undated = {number for number, names in enumerate(done) if names & NO_MONTH.keys()}
        assert counted[table] == len(undated)
        assert Counter(facts) == Counter(set(range(ROWS)) - undated)
        assert all(failed.values())
        same_id: dict[str, set[int]] = defaultdict(set)
        for number in facts:
            same_id[(rows[number][_key(rows[number])] or "").strip()].add(number)
        for numbers in same_id.values():
            kept = numbers - failed.keys()
            assert len(kept) <= 1
            if len(numbers) == 1:
                [number] = numbers
                assert (number in failed) == bool(done[number] & wrong), (rows[number], failed.get(number))
            assert not any(done[number] & wrong for number in kept)


def _in_lake(settings, table: str) -> tuple[list[int], dict[int, list[str]]]:
    """The marks of all rows of the lake, and of those in quarantine with their reasons."""
    lake, database, mark = Lake(settings.lake_path), duckdb.connect(), MARK[table]
    facts, failed = [], {}
    for month in lake.facts(table):
        keys = {fact_key(table): month}
        for where, columns in ((table, f"{mark}::int"), (QUARANTINE + table, f"{mark}::int, failed")):
            for file in lake.files(where, **keys):
                found = database.execute(
                    f"select {columns} from read_parquet($file) where {mark} is not null", {"file": file}
                ).fetchall()
                if where == table:
                    facts += [number for (number,) in found]
                else:
                    failed |= dict(found)
    return facts, failed
