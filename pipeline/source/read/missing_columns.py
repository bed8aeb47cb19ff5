"""An extract query without the optional columns that the billing system has not."""

import sqlalchemy as sa
from sqlglot import exp

from pipeline.errors import SourceContractError
from pipeline.source.contract import SourceTable
from pipeline.source.read.query_text import location, parsed, written


def without_missing_columns(table: SourceTable, text: str, engine: sa.Engine, where: str) -> str | None:
    """The query without the optional columns that the source has not; None where an optional table is not there.

    The same text where nothing of that explains why the source refuses it. ``where`` is the source's place, for
    messages. Errors: SourceContractError where what is missing is required.
    """
    tree = parsed(text, engine)
    if tree is None:
        return text
    try:
        present = _present_columns(tree, engine)
    except sa.exc.DBAPIError:  # no right to know
        return text
    if absent := [name for name, columns in present.items() if columns is None]:
        if not table.is_required:
            return None
        raise SourceContractError(
            f"{table.name}: the billing system at {where} has no table {', '.join(absent)}; "
            f"create it, or adapt {location(table)} to where these records are"
        )
    known = {name for columns in present.values() for name in columns or ()}
    known |= {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    missing = {column.name.lower() for column in tree.find_all(exp.Column)} - known
    if required := [name for name in table.required_columns if name in missing]:
        leave_out = "" if table.is_required else ", or empty that file to go on without the table"
        raise SourceContractError(
            f"{table.name}: the billing system at {where} has no column {', '.join(required)} in "
            f"{', '.join(present)}; add it, or adapt {location(table)}{leave_out}"
        )
    if not missing or not missing <= set(table.column_names):
        return text
    for select in tree.find_all(exp.Select):
        given = select.expressions
        select.set("expressions", [x for x in given if not (isinstance(x, exp.Column) and x.name.lower() in missing)])
    return written(tree, engine)


def _present_columns(tree: exp.Expr, engine: sa.Engine) -> dict[str, set[str] | None]:
    """The columns in the source of every table that a query names, None where there is no such table."""
    inspector = sa.inspect(engine)
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    columns: dict[str, set[str] | None] = {}
    for source in tree.find_all(exp.Table):
        if source.name in own:
            continue
        try:
            found = inspector.get_columns(source.name, schema=source.db or None)
            columns[source.name] = {column["name"].lower() for column in found}
        except sa.exc.NoSuchTableError:
            columns[source.name] = None
    return columns
