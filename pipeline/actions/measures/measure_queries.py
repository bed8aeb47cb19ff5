"""The queries of service measures: sql/lake/measures/<action type>.sql, ours and the utility's own.

A query returns customer_id, subject (with the customer it identifies the action), reason, and the fields of the
payload. Its header may state properties:

- ``stays_due``: an action stays due after its month. Without it, an action is withdrawn once the latest month no longer
  has it.
- ``in_ranges``: the query is run for a range of customers at a time, since it reads all their bills. It may then read
  source tables, the queries of sql/lake/facts and small tables of the policy, and one row must follow from the records
  of its own customer.
"""

import re

from pipeline import resources
from pipeline.engine import queries
from pipeline.errors import ConfigError
from pipeline.policy import Policy

STAYS_DUE, IN_RANGES = "stays_due", "in_ranges"
_PROPERTIES = {STAYS_DUE, IN_RANGES}
COLUMNS = ("customer_id", "subject", "reason")


def names(policy: Policy) -> list[str]:
    """The measures that have a query: those of the policy in its order, then those that it does not have, by name."""
    paths = (within.split("/") for within in resources.files(resources.LAKE, ".sql"))
    found = {path[1].removesuffix(".sql") for path in paths if path[0] == "measures" and len(path) == 2}
    wanted = [name for name in policy.measures.sections() if name in found]
    return wanted + sorted(found - set(wanted))


def decided(policy: Policy) -> list[str]:
    """Of these, the ones that the policy has decided, in its order."""
    return [name for name in names(policy) if name in policy.measures.sections()]


def properties(name: str) -> frozenset[str]:
    """The properties of a measure. ConfigError for one that is not known, or where the query lacks a column."""
    path = resources.display(queries.files()[name])
    stated = re.search(r"\bProperties: ([\w, ]+)\.", queries.header(name))
    found = frozenset(re.findall(r"\w+", stated[1])) if stated else frozenset()
    if unknown := found - _PROPERTIES:
        raise ConfigError(f"{path}: {min(unknown)} is no property of a measure: {' or '.join(sorted(_PROPERTIES))}")
    returned = queries.columns(name)
    if "*" not in returned and (absent := [column for column in COLUMNS if column not in returned]):
        raise ConfigError(f"{path} returns no {absent[0]}; a measure returns {', '.join(COLUMNS)} and its own fields")
    return found
