"""Audits of a revision, in SQL: staged, before any reader sees it, against the lake, the policy and the month before;
published, against the hashes of its rows that were taken with its audit."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.monthly_tables import TABLES
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement


@dataclass(frozen=True)
class Expected:
    """What the staged tables must hold, according to the lake.

    ``population`` customers are graded; ``rows`` by table; ``grades``: customers by grade; ``sums`` by table and
    column: (values that are not null, their sum).
    """

    population: int
    rows: Mapping[str, int]
    grades: Mapping[str, int]
    sums: Mapping[str, Mapping[str, tuple[int, float]]]


def audit(
    connection: Connection,
    month: RatingMonth,
    staged: Mapping[str, str],
    expected: Expected,
    policy: Policy,
) -> list[str]:
    """Every check that failed, with its figures; empty when readers may see the revision.

    ``staged`` gives the staged table by the table it will be a partition of.
    """
    ambiguous = revisions.index(connection, staged)
    with connection.begin():
        return [
            *_rows(connection, staged, ambiguous, expected),
            *_customers(connection, staged, ambiguous),
            *_grades(connection, staged["credit_grades"], policy),
            *_ties(connection, staged, expected),
            *_shares(connection, month, staged["credit_grades"], policy),
        ]


def moves(connection: Connection, month: RatingMonth, name: str) -> tuple[int, int]:
    """Customers whom both the published month and the staged table ``name`` grade, and those whose grade differs."""
    with connection.begin():
        found = connection.execute(
            text(
                "select count(*), count(*) filter (where new.grade <> old.grade) "
                f"from rating.{name} as new inner join rating.credit_grades as old "
                "on old.customer_id = new.customer_id and old.rating_month = :month"
            ),
            {"month": month.first_day},
        ).one()
    return found[0], found[1]


def _rows(connection: Connection, staged: Mapping[str, str], ambiguous: list[str], expected: Expected) -> Iterator[str]:
    for table, name in staged.items():
        [rows] = _one(connection, f"select count(*) from rating.{name}")
        if table == "credit_grades" and rows != expected.population:
            yield f"{table} has {rows} rows for a population of {expected.population}"
        elif rows != expected.rows[table]:
            yield f"{table} has {rows} rows, in the lake {expected.rows[table]}"
        if table in ambiguous:
            key = ", ".join(TABLES[table].key)
            [different] = _one(connection, f"select count(distinct ({key})) from rating.{name}")
            yield f"{table} has {rows} rows for {different} different values of {key}"


def _customers(connection: Connection, staged: Mapping[str, str], ambiguous: list[str]) -> Iterator[str]:
    """Every graded customer has indices and a group; nobody else has, except a group of customers who have left."""
    if ambiguous:
        return
    for table, what in (("credit_indices", "indices"), ("customer_groups", "a group")):
        rated = "where life_cycle_stage is distinct from 'closed'" if table == "customer_groups" else ""
        without, ungraded = _one(
            connection,
            "select count(*) filter (where o.customer_id is null), count(*) filter (where g.customer_id is null) "
            f"from rating.{staged['credit_grades']} as g "
            f"full join (select customer_id from rating.{staged[table]} {rated}) as o on o.customer_id = g.customer_id",
        )
        if without:
            yield f"{without} graded customers have no {what.removeprefix('a ')}"
        if ungraded:
            yield f"{ungraded} customers with {what} have no grade"


def _grades(connection: Connection, name: str, policy: Policy) -> Iterator[str]:
    found = connection.execute(
        text(statement("publications/audit_grades", staged=name)), {"names": list(policy.grades.names)}
    ).one()
    if found.without_grade:
        yield f"{found.without_grade} customers have no grade"
    if found.without_score:
        yield f"{found.without_score} customers have no finite score"
    if found.not_probabilities:
        yield f"{found.not_probabilities} default probabilities are not between 0 and 1"
    if found.off_scale:
        yield f"{found.off_scale} grades are not on the policy's scale, such as {found.example!r}"


def _ties(connection: Connection, staged: Mapping[str, str], expected: Expected) -> Iterator[str]:
    counted = connection.execute(
        text(f"select grade, count(*) from rating.{staged['credit_grades']} where grade is not null group by grade")
    )
    loaded = {grade: customers for grade, customers in counted}
    for grade in sorted(loaded.keys() | expected.grades.keys()):
        if loaded.get(grade, 0) != expected.grades.get(grade, 0):
            yield f"{loaded.get(grade, 0)} customers have grade {grade}, in the lake {expected.grades.get(grade, 0)}"
    for table, columns in expected.sums.items():
        terms = ["count(*)", *(f'count("{column}"), sum("{column}")' for column in columns)]
        found = _one(connection, f"select {', '.join(terms)} from rating.{staged[table]}")[1:]
        for column, rows, value in zip(columns, found[::2], found[1::2], strict=True):
            yield from _tie(column, rows, value or 0.0, columns[column])


def _tie(column: str, rows: int, value: float, lake: tuple[int, float]) -> Iterator[str]:
    count, total = lake
    if not math.isfinite(value):
        yield f"{column} has values that are not finite"
    elif rows != count or not math.isclose(value, total, rel_tol=1e-9, abs_tol=1e-9 * max(count, 1)):
        yield f"{column} has {rows} values that sum to {value:.6g}, in the lake {count} that sum to {total:.6g}"


def _one(connection: Connection, query: str) -> Row:
    return connection.execute(text(query)).one()


def _shares(connection: Connection, month: RatingMonth, name: str, policy: Policy) -> Iterator[str]:
    """A grade that gains or loses too many customers against the month published before."""
    before = publications.before(connection, month)
    if before is None or before.rows < policy.publish.min_rows_for_share_check:
        return
    moved = connection.execute(
        text(statement("publications/shares_by_grade", staged=name)), {"month": before.rating_month.first_day}
    )
    limit = policy.publish.max_grade_share_change
    for grade, old, new in moved:
        if grade is not None and abs(new - old) > limit:
            yield (
                f"the share of grade {grade} goes from {old:.1%} in {before.rating_month} to {new:.1%}, "
                f"more than policy publish.max_grade_share_change {limit:.1%}"
            )


def row_hash(connection: Connection, name: str) -> dict[str, Any]:
    """Of a staged table: its ``columns``, the number of its ``rows``, and their ``hash``, whatever their order."""
    [found] = _tables(connection, [name]).values()
    return {"columns": sorted(found.types), **_hashed(connection, name, found.types, found.types)}


def hash_of_customers(
    connection: Connection, name: str, columns: Collection[str], customers: Collection[str]
) -> int | None:
    """What the rows of these customers add to the hash of a revision's table, which is a sum over its rows; ``name``
    with its schema. None where the table has lost one of these columns."""
    table = name.removeprefix("rating.")
    types = _tables(connection, [table])[table].types
    if set(columns) - set(types):
        return None
    query = text(_hashing(f"{table} where customer_id = any(:customers)", columns, types))
    return int(connection.execute(query, {"customers": list(customers)}).one().hash)


def damage(
    connection: Connection, publication: Publication, *, only: Collection[str] = (), at_a_glance: bool = False
) -> list[str]:
    """What is wrong with the tables of a revision, a line each; empty where they hold what was published.

    ``only``: some of them. ``at_a_glance``: by the catalogs alone, no row is read. Of a revision that was published
    before its rows were hashed, only whether its grades are there is known.
    """
    hashes: Mapping[str, Any] = publication.table_hashes or {"credit_grades": {}}
    looked_at = hashes.keys() & (only or hashes)
    names = {table: name for table, name in revisions.tables(publication).items() if table in looked_at}
    present = _tables(connection, list(names.values()))
    found = []
    for table, name in names.items():
        stated = hashes[table]
        if name not in present:
            found.append(f"rating.{name} is gone")
        elif publication.superseded_at is None and present[name].parent != f"rating.{table}":
            found.append(f"rating.{name} is no partition of rating.{table}, readers do not see it")
        elif not stated:
            continue
        elif lost := sorted(set(stated["columns"]) - set(present[name].types)):
            found.append(f"rating.{name} has lost its column {lost[0]}")
        elif stated["rows"] and present[name].is_empty:
            found.append(f"rating.{name} is empty, {stated['rows']:,} rows were published")
        elif not at_a_glance:
            found += _differences(name, stated, _hashed(connection, name, stated["columns"], present[name].types))
    return found


def require_carried_over(connection: Connection, month: RatingMonth, table: str) -> None:
    """NotPublishedError where the last month published before, from which a rating of this one carries over, does not
    hold in ``table`` what was published."""
    before = publications.before(connection, month)
    if before is not None and (found := damage(connection, before, only=[table])):
        raise NotPublishedError(f"{month} carries over from {before.rating_month}, but {found[0]}: {way_out(before)}")


def way_out(publication: Publication) -> str:
    """How a revision that is damaged gets whole again."""
    if publication.superseded_at is None:
        month = publication.rating_month
        return f"gridgrade rate {month} --basis {publication.basis} publishes it again"
    return "readers do not see it; it can be restored from a backup of the warehouse"


def foreign_partitions(connection: Connection) -> list[str]:
    """Tables whose rows readers see although no publication names them."""
    parents = [f"rating.{table}" for table in TABLES]
    return list(connection.execute(text(statement("publications/foreign_partitions")), {"tables": parents}).scalars())


def _tables(connection: Connection, names: list[str]) -> dict[str, Row]:
    rows = connection.execute(text(statement("publications/revision_tables")), {"names": names})
    return {row.name: row for row in rows}


def _hashed(connection: Connection, name: str, columns: Iterable[str], types: Mapping[str, str]) -> dict[str, Any]:
    return dict(connection.execute(text(_hashing(name, columns, types))).mappings().one())


def _hashing(rows: str, columns: Iterable[str], types: Mapping[str, str]) -> str:
    quoted = {column: '"' + column.replace('"', '""') + '"' for column in sorted(columns)}
    terms = [f"cast({term} as text)" if types[column] == "json" else term for column, term in quoted.items()]
    return statement("publications/hash_rows", columns=", ".join(terms), rows=rows)


def _differences(name: str, stated: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    if found["rows"] != stated["rows"]:
        yield f"rating.{name} has {found['rows']:,} rows, {stated['rows']:,} were published"
    elif found["hash"] != stated["hash"]:
        yield f"rating.{name} has other rows than were published"
