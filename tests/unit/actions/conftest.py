"""What a service measure starts from, and an outbox to send from."""

import pytest

from pipeline.policy import Policy
from tests.support.receivers import WebhookReceiver
from tests.support.records.actions import Utility


@pytest.fixture
def utility(settings) -> Utility:
    return Utility(settings)


@pytest.fixture
def holding(policy):
    """``holding({...}, ...)``: the policy with these campaigns; unless given, share 0.5, rate 0.05 and cap 50."""

    def made(*campaigns: dict) -> Policy:
        terms = {"name": "monthly", "first_month": "2026-01", "share": 0.5, "rate": 0.05, "cap": 50}
        document = policy.model_dump(mode="json")
        return Policy(**document | {"rebate": {"campaigns": [terms | campaign for campaign in campaigns]}})

    return made


@pytest.fixture
def receiver():
    """A webhook's receiver, which takes everything unless it is told otherwise."""
    server = WebhookReceiver()
    yield server
    server.close()
