"""Any interleaving of attempts, deaths and restarts ends with every action in a final state, sent to its key once."""

from collections import Counter
from contextlib import nullcontext, suppress

from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.outbox.outcome import DELIVERED, Outcome

TYPES = {
    "visit": {"channels": ["webhook"], "approval": "automatic"},
    "collection": {"channels": ["webhook", "queue"], "approval": "automatic"},
}
FATES = ["delivered", "delivered", "refused", "not_now", "arrives_unheard", "dies_before", "dies_after"]


class Dies(BaseException):
    """The dispatcher's process is gone: nothing after this runs, as after kill -9."""


class Receiver:
    """Takes actions by their key. ``fates`` says what becomes of the next attempts; then all goes well."""

    def __init__(self, fates):
        self.fates, self.done, self.attempts = list(fates), Counter(), Counter()

    def send(self, action):
        key = str(action.action_id)
        self.attempts[key] += 1
        fate = self.fates.pop(0) if self.fates else "delivered"
        if fate in ("delivered", "arrives_unheard", "dies_after"):
            self.done[key] = 1
        if fate.startswith("dies"):
            raise Dies
        if fate == "refused":
            return Outcome("refused", "answered 400")
        return DELIVERED if fate == "delivered" else Outcome("not_now", "no answer")

    def close(self):
        pass


@trials(max_examples=8, deadline=None)
@given(
    fates=st.lists(st.sampled_from(FATES), max_size=12),
    customers=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    time_passes=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_every_action_ends_and_none_is_done_twice(module_house, fates, customers, time_passes):
    module_house.empty()
    house = module_house.under(TYPES)
    actions = [each for kind in TYPES for each in house.decide(kind, *customers)]
    receiver = Receiver(fates)
    for passes in time_passes:
        send_once(house, receiver)
        if not house.statuses().keys() & {"proposed", "approved"}:
            break
        if passes:
            house.pass_time()
    else:
        house.pass_time()
        send_once(house, receiver)

    assert house.statuses().total() == len(actions)
    assert house.statuses().keys() <= {"dispatched", "failed"}
    rows = house.sql("select action_id::text, status, channel, attempts, last_error from ops.service_actions")
    for action, status, channel, attempts, error in rows:
        assert receiver.attempts[action] <= house.policy.actions.channels.webhook.attempts
        if status == "dispatched" and channel == "webhook":
            assert receiver.done[action] == 1
            assert attempts == receiver.attempts[action]
        if status == "failed":
            assert error
    sent = sum(status == "dispatched" and channel == "webhook" for _, status, channel, *_ in rows)
    assert sent <= receiver.done.total()


def send_once(house, receiver):
    """A run of a dispatcher whose webhook is the receiver; it may die."""
    with suppress(Dies):
        house.dispatch(opened=lambda *_: nullcontext(({"webhook": receiver}, {})))
