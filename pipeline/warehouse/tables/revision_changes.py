"""What each revision changed against the one it replaced: ops.revision_changes."""

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from pipeline.warehouse.publications import Publication


def enter(connection: Connection, publication: Publication, replaced: Publication, difference: dict[str, Any]) -> None:
    """Write it down in the transaction that publishes the revision."""
    statement = text(
        "insert into ops.revision_changes (publication_id, replaced_id, difference) "
        "values (:id, :replaced, :difference)"
    ).bindparams(bindparam("difference", type_=JSONB))
    bound = {"id": publication.publication_id, "replaced": replaced.publication_id, "difference": difference}
    connection.execute(statement, bound)


def read(connection: Connection, publication: Publication, replaced: Publication) -> dict[str, Any] | None:
    """The difference of the two; None where the one did not replace the other, or it was not recorded then."""
    query = text("select difference from ops.revision_changes where publication_id = :id and replaced_id = :replaced")
    bound = {"id": publication.publication_id, "replaced": replaced.publication_id}
    return connection.execute(query, bound).scalar_one_or_none()
