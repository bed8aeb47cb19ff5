"""What reports and the console count of a revision: rating.portfolio_cells, which is kept with its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement


def count(connection: Connection, staged: Mapping[str, str]) -> list[dict[str, Any]]:
    """The cells of a revision; ``staged`` gives the table of the revision by the table it is, or will be, part of."""
    query = statement("publications/portfolio_cells", grades=staged["credit_grades"], groups=staged["customer_groups"])
    with connection.begin():
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def enter(connection: Connection, publication: Publication, cells: Sequence[Mapping[str, Any]]) -> None:
    """Write the cells down for a publication, in the transaction that publishes it."""
    rows = [{"publication_id": publication.publication_id, **cell} for cell in cells]
    if rows:
        bound = ", ".join(f":{column}" for column in rows[0])
        connection.execute(text(f"insert into rating.portfolio_cells ({', '.join(rows[0])}) values ({bound})"), rows)


def remove(connection: Connection, publication: Publication) -> None:
    """With the rows of the revision, in the caller's transaction."""
    connection.execute(
        text("delete from rating.portfolio_cells where publication_id = :id"), {"id": publication.publication_id}
    )
