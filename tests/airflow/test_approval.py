"""Asking a person: when, what about, and what the answer does. Airflow's own page is not there; its place is taken."""

from tests.support import in_airflow  # noqa: F401  isort: skip

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import gridgrade_approval
import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput
from gridgrade_approval import approve_actions, approve_model
from sqlalchemy import create_engine, text

from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.run import Run
from pipeline.warehouse import model_registry

JUNE = RatingMonth(2026, 6)
GATE = {"gate": "auc", "passed": True, "is_hard": True, "value": 0.81234, "limit": 0.6, "detail": "interval"}

TWO_VISITS = """
insert into ops.service_actions (action_id, rating_month, customer_id, action_type, reason, payload, status, run_kind)
select gen_random_uuid(), '2026-10-01', customer_id, 'visit', 'r', '{}', 'proposed', 'scheduled'
from unnest(array['C00001', 'C00002']) as customer_id
"""


@pytest.fixture
def asked(settings, policy, monkeypatch):
    """``asked(kind, awaiting, **promotion)`` runs the task up to the question: what a person would see."""
    model_registry.register(
        settings,
        version="v2",
        family="residential",
        effective_from=JUNE,
        parameters={"a": 1},
        metrics={},
        input_sha256="i",
        policy_sha256="p",
    )
    model_registry.judge(settings, "v2", [GATE], True)
    seen = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **question: seen.update(question))

    def run(kind="scheduled", awaiting=("v2",), **promotion):
        document = policy.model_dump(mode="json")
        document["promotion"] |= {"mode": "manual"} | promotion
        inputs = (JUNE, settings, Policy.model_validate(document))
        steps = Run(*inputs)
        current = SimpleNamespace(month=JUNE, id="run", kind=kind, steps=steps)
        monkeypatch.setattr(gridgrade_approval, "current_run", lambda: current)
        retrained = {"awaiting": list(awaiting)} if awaiting is not None else None
        ti = SimpleNamespace(id="ti", xcom_pull=lambda task_ids: retrained)
        run.task, run.context = approve_model(), {"task_instance": ti, "ti": ti}
        with pytest.raises(TaskAwaitingInput) as waiting:
            run.task.execute(run.context)
        return seen | {"timeout": waiting.value.timeout}

    return run


def test_a_scheduled_run_asks_with_the_gates_at_hand_and_waits_as_long_as_the_policy_says(asked):
    question = asked(approval_days=3)
    assert question["subject"] == "2026-06: put v2 in force?"
    assert "| auc | 0.8123 | 0.6 | interval |" in question["body"]
    assert (question["options"], question["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert question["timeout"] == timedelta(days=3)


@pytest.mark.parametrize(
    "asking",
    [
        {"kind": "backfill"},
        {"kind": "manual"},
        {"awaiting": ()},
        {"awaiting": None},
        {"mode": "automatic"},
        {"approval_step": False},
    ],
)
def test_nobody_is_asked_where_nothing_waits_or_nobody_is_there(asked, asking):
    with pytest.raises(AirflowSkipException, match="2026-06: nobody has to be asked"):
        asked(**asking)


def answer(asked, option, user=None):
    asked()
    event = {"chosen_options": [option], "params_input": {}, "responded_at": datetime(2026, 7, 2, tzinfo=UTC)}
    run = asked
    run.task.execute_complete(run.context, event | {"responded_by_user": user})


def test_an_approval_puts_the_challenger_in_force_in_the_persons_name(asked, settings):
    answer(asked, "Approve", {"id": "7", "name": "A. Person"})
    model = model_registry.champion(settings, "residential", JUNE)
    assert (model.version, model.approved_by) == ("v2", "A. Person")
    assert model_registry.promotions(settings, "v2")[0].reason == "approved in run run"


def test_a_rejection_or_no_answer_leaves_everything_as_it_is(asked, settings):
    answer(asked, "Reject")
    assert model_registry.champion(settings, "residential", JUNE) is None


@pytest.fixture
def own(databases, published, tmp_path):
    """A published month that a test may change."""
    with databases(tmp_path / "own", like=published) as settings:
        yield settings


class TestActions:
    """Asking whether the month's proposals may go out."""

    @pytest.fixture
    def asked(self, own, policy, monkeypatch):
        """``asked(**policy_of_actions)`` runs the task up to the question, on a month that its schedule published."""
        with create_engine(own.warehouse).begin() as connection:
            connection.execute(text("update ops.publications set run_kind = 'scheduled'"))
            connection.execute(text(TWO_VISITS))
        seen = {}
        monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **question: seen.update(question))

        def run(**actions):
            document = policy.model_dump(mode="json")
            document["actions"] |= {"approval_step": True} | actions
            inputs = (RatingMonth(2026, 10), own, Policy.model_validate(document))
            monkeypatch.setattr(gridgrade_approval, "current_run", lambda: SimpleNamespace(steps=Run(*inputs)))
            ti = SimpleNamespace(id="ti")
            run.task, run.context = approve_actions(), {"task_instance": ti, "ti": ti}
            with pytest.raises(TaskAwaitingInput) as waiting:
                run.task.execute(run.context)
            return seen | {"timeout": waiting.value.timeout}

        return run

    def test_it_asks_with_the_numbers_and_waits_as_the_policy_says(self, asked):
        question = asked(approval_days=3)
        assert question["subject"] == "2026-10: approve 2 actions?"
        assert "| visit | 2 |" in question["body"]
        assert question["timeout"] == timedelta(days=3)

    def test_a_yes_sends_them_in_the_persons_name(self, asked, own):
        asked()
        event = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": datetime(2026, 11, 2, tzinfo=UTC)}
        asked.task.execute_complete(asked.context, event | {"responded_by_user": {"id": "7", "name": "A. Person"}})
        assert statuses(own) == {("dispatched", "A. Person"): 2}

    def test_a_no_sends_nothing(self, asked, own):
        asked()
        event = {"chosen_options": ["Reject"], "params_input": {}, "responded_at": datetime(2026, 11, 2, tzinfo=UTC)}
        asked.task.execute_complete(asked.context, event | {"responded_by_user": None})
        assert statuses(own) == {("proposed", None): 2}

    def test_nobody_is_asked_without_the_step_in_a_backfill_or_of_nothing(self, asked, own):
        with pytest.raises(AirflowSkipException):
            asked(approval_step=False)
        for change in ("update ops.publications set run_kind = 'backfill'", "delete from ops.service_actions"):
            with create_engine(own.warehouse).begin() as connection:
                connection.execute(text(change))
            with pytest.raises(AirflowSkipException, match="2026-10: nobody has to be asked"):
                asked()


def statuses(settings) -> dict:
    query = "select status, approved_by, count(*) from ops.service_actions group by status, approved_by"
    with create_engine(settings.warehouse).connect() as connection:
        return {(status, by): count for status, by, count in connection.execute(text(query))}
