"""Faulty rows: as many as asked for, each breaks the contract, and the good ones stay as they are."""

from collections import Counter

import pytest

from pipeline.month import RatingMonth
from pipeline.sample import Utility
from pipeline.sample.faults import CLEAN, faults
from pipeline.source import contract

LAST = RatingMonth(2026, 10)
DIRTY = [name for name in contract() if name not in CLEAN]


@pytest.mark.parametrize("name", DIRTY)
def test_the_share_is_planted_exactly_and_every_kind_in_turn(dirty, name):
    engine, planted = dirty
    kinds = {kind: keys for (table, kind), keys in planted.items() if table == name}
    ((rows,),) = engine.execute(f"select count(*) from {name}").fetchall()
    total = sum(map(len, kinds.values()))
    assert total == round((rows - total) * 0.1)
    assert set(kinds) == set(list(faults(contract()[name]))[:total])
    sizes = [len(keys) for keys in kinds.values()]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("name", DIRTY)
def test_every_planted_row_breaks_the_contract(dirty, name):
    engine, planted = dirty
    table = contract()[name]
    broken = [f"not coalesce({check.sql}, true)" for check in table.checks]
    broken += [f"{column} is null" for column in table.required_columns]
    broken += [f"{column} > 100000000" for column in table.money_columns]
    broken += [f"{reference.column} = 'nobody'" for reference in table.references]
    key = ", ".join(table.key)
    good = f"select {key} from {name} where not ({' or '.join(broken)}) group by all having count(*) = 1"
    faulty = {row for (planted_in, _), keys in planted.items() if planted_in == name for row in keys}
    assert faulty
    assert not faulty & set(engine.execute(good).fetchall())


def test_the_good_rows_are_those_of_the_clean_utility():
    clean, dirty = Utility(300, 3, LAST), Utility(300, 3, LAST, dirty=0.2)
    expected, found = rows_of(clean), rows_of(dirty)
    assert expected <= found
    assert (found - expected).total() == sum(map(len, dirty.planted.values())) > 100


def rows_of(utility: Utility) -> Counter:
    return Counter(
        (name, *row) for name, batch in utility.batches() for row in zip(*batch.to_pydict().values(), strict=True)
    )


def test_a_clean_utility_plants_nothing():
    utility = Utility(100, 2, LAST)
    list(utility.batches())
    assert utility.planted == {}
