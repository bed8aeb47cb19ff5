"""The query of all indices of a policy: sql/lake/indices with the policy's families, missing rules and bands."""

from collections.abc import Collection, Iterable, Mapping

from pipeline.engine.queries import Query, compose
from pipeline.engine.queries import columns as columns_of
from pipeline.errors import ConfigError
from pipeline.policy import Policy
from pipeline.source import contract

# What grading reads beside the facts of its rules.
_GRADING = {
    "rules_in_force": "rule_facts.rules_in_force",
    "is_default_by_register": "coalesce(d.is_by_register, false)",
    "quarantined_records": "coalesce(quarantined_by_customer.records, 0)",
}
# What a customer says about the service, and how good it was, must not lower anybody's credit.
UNSCORED_TABLES = frozenset({"outages", "satisfaction_surveys", "service_contacts"})


def indices_query(
    policy: Policy,
    names: Iterable[str],
    absent: Collection[str] = (),
    facts: Collection[str] = (),
    given: Collection[str] = (),
) -> Query:
    """One row per rated customer: segment, family, region, bills, is_in_default, is_thin_file, ``facts`` (columns of
    sql/lake/grading/rule_facts.sql; with any also rules_in_force, is_default_by_register and quarantined_records), and
    of each index of ``names`` the value, ``_missing`` and ``_band``; see ``index_values.write_indices``.

    ``absent``: source tables that are not there; an index that needs one has no value. ``given``: see
    ``queries.compose``. Parameters are those of ``parameters.parameters``. ConfigError where the policy's indices and
    their queries do not fit together.
    """
    names = list(names)
    _check_definitions(policy)
    columns = {name: _IndexColumn(name, policy, absent) for name in policy.indices}
    required = [name for name, index in policy.indices.items() if index.group in policy.required_groups]
    groups = sorted({"payment", *(policy.indices[name].group for name in (*names, *required))})
    joined = [*groups, "rule_facts", "quarantined_by_customer"] if facts else groups
    joins = "\n".join(f"left join {name} on {name}.customer_id = p.customer_id" for name in joined)
    known = {fact: f"coalesce(rule_facts.{fact}, false)" for fact in facts}
    known |= {column: value for column, value in _GRADING.items() if facts}
    unknown = [_nothing_is_known(group, policy, columns) for group in policy.required_groups]
    text = f"""
        with computed as (
            select
                p.customer_id,
                p.segment,
                f.family,
                p.region,
                coalesce(b.bills, 0) as bills,
                d.customer_id is not null as is_in_default,
                {" or ".join(["payment.on_time_payment_rate is null", *unknown])} as is_thin_file,
                {"".join(f"{value} as {column}, " for column, value in known.items())}
                {", ".join(columns[name].value_and_flag() for name in names)}
            from population as p
            {joins}
            left join families as f on f.segment = p.segment
            left join default_status as d on d.customer_id = p.customer_id
            left join known_bills as b on b.customer_id = p.customer_id
        )

        select
            customer_id,
            segment,
            family,
            region,
            bills,
            is_in_default,
            is_thin_file,
            {"".join(f"{column}, " for column in known)}
            {", ".join(f"{name}, {name}_missing, {columns[name].band()}" for name in names)}
        from computed
        order by customer_id
    """
    return compose(text, given)


def _check_definitions(policy: Policy) -> None:
    """ConfigError where the policy's indices and the queries do not fit together."""
    tables = contract()
    if taken := sorted({index.group for index in policy.indices.values()} & set(tables)):
        raise ConfigError(f"policy indices: group {', '.join(taken)} is the name of a source table: rename the group")
    for name, index in policy.indices.items():
        returned = columns_of(index.group)
        for column in (name, f"{name}_fallback") if index.missing == "fallback" else (name,):
            if column not in returned:
                raise ConfigError(
                    f"policy indices.{name}: sql/lake/indices/{index.group}.sql returns no column {column}"
                )
        if unknown := [table for table in index.needs if table not in tables or tables[table].is_required]:
            raise ConfigError(f"policy indices.{name}.needs: {', '.join(unknown)} is no optional source table")
        read = compose(f"select * from {index.group}").tables & UNSCORED_TABLES
        if index.enters_score and read:
            raise ConfigError(
                f"policy indices.{name}: sql/lake/indices/{index.group}.sql reads {', '.join(sorted(read))}, and "
                "nothing of that may enter a score: set enters_score to false, or move the index to a group of its own"
            )


class _IndexColumn:
    """What the indices query says of one index, in SQL."""

    def __init__(self, name: str, policy: Policy, absent: Collection[str]):
        index = policy.indices[name]
        self._name, self._direction = name, index.direction
        families = [f":family_{at}" for at, family in enumerate(policy.families) if index.is_for(family)]
        self.is_for = None if index.families is None else f"f.family in ({', '.join(families)})"
        self._is_absent = bool(set(absent) & set(index.needs))
        self._source = f"{index.group}.{name}"
        stands_in = None if index.missing == "median" else f":fill_{name}"
        if index.missing == "fallback":
            stands_in = f"{self._source}_fallback"
        self._filled = f"coalesce({self._source}, {stands_in})" if stands_in else self._source

    @property
    def is_missing(self) -> str:
        if self._is_absent:
            return "true"
        return f"({self._source} is null{f' or not coalesce({self.is_for}, false)' if self.is_for else ''})"

    def value_and_flag(self) -> str:
        value = f"case when {self.is_for} then {self._filled} end" if self.is_for else self._filled
        if self._is_absent:
            value = "null"
        return f"cast({value} as double) as {self._name}, {self.is_missing} as {self._name}_missing"

    def band(self) -> str:
        name, better = self._name, ">=" if self._direction == "+" else "<="
        bands = " ".join(f"when {name} {better} :band_{name}_{at} then '{letter}'" for at, letter in enumerate("ABC"))
        return f"case when {name} is null then null {bands} else 'D' end as {name}_band"


def _nothing_is_known(group: str, policy: Policy, columns: Mapping[str, _IndexColumn]) -> str:
    """Whether a customer has no index of the group, of those that are for the customer's family."""
    members = [columns[name] for name, index in policy.indices.items() if index.group == group]
    every = " and ".join(member.is_missing for member in members)
    families = dict.fromkeys(member.is_for for member in members if member.is_for is not None)
    if any(member.is_for is None for member in members):
        return f"({every})"
    return f"({every} and ({' or '.join(families)}))"
