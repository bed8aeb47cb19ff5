"""Measures, each from records to the outbox."""

from datetime import date
from decimal import Decimal

import pytest
from town import MONTH, Town, bill, event, payment


@pytest.fixture
def town(module_house) -> Town:
    module_house.empty()
    return Town(module_house.settings, module_house.policy)


def test_all(town):
    there = town.settled({"a": {"grade": "D"}, "b": {"grade": "AAA", "value_group": "high value", "consumption_trend": -0.3}},
        bills=[bill("a", "2026-08-10")], payments=[])
    print(there.decide())
    for row in there.actions(): print(row)
    assert 0
