"""The DAGs as Airflow loads them: without the pipeline's own weight, and by the house rules."""

from tests.support import in_airflow  # noqa: F401  isort: skip

import inspect
import json
import subprocess
import sys
from typing import ClassVar

import pytest
from airflow.providers.common.compat.lineage.entities import Table
from airflow.sdk import Asset

from pipeline import cycle
from pipeline.month import RatingMonth
from pipeline.resources import ROOT
from pipeline.run import MEMORY, Run
from pipeline.source import contract

TAGS = {"rating", "actions", "monthly"}
HEAVY = {"adbc_driver_postgresql", "duckdb", "great_expectations", "pandas", "pyarrow", "scipy", "sklearn", "sqlglot"}
LIGHT = {"pipeline", "pipeline.basis", "pipeline.errors", "pipeline.month", "pipeline.resources"}

PARSE = """
import json, sys
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def parsed() -> dict:
    """The DAGs loaded in a process that has only Airflow."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(ROOT / "dags")],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(ROOT / "dags"))


def test_parsing_imports_no_step_and_nothing_heavy(parsed):
    modules = set(parsed["modules"])
    assert not modules & HEAVY
    assert {name for name in modules if name.split(".")[0] == "pipeline"} <= LIGHT


def test_the_dags_load(bag):
    assert not bag.import_errors
    assert set(bag.dags) == {"credit_rating", "service_actions", "outage_notices", "alerts"}


@pytest.mark.parametrize("dag_id", ["credit_rating", "service_actions", "outage_notices", "alerts"])
def test_house_rules(bag, dag_id):
    dag = bag.dags[dag_id]
    assert dag.tags
    assert set(dag.tags) <= TAGS
    assert dag.owner not in ("", "airflow")
    assert not dag.catchup
    assert dag.max_active_runs == 1
    for topic in ("**Makes**", "**Read by**", "**When a task fails**"):
        assert topic in dag.doc_md
    for task in dag.tasks:
        assert task.on_failure_callback, f"{task.task_id} tells nobody that it failed"
        assert task.retry_policy is not None
        assert getattr(task, "python_callable", type(task)).__doc__


def test_the_cycle_of_a_month(bag):
    dag = bag.dags["credit_rating"]
    following = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert following == {
        "wait_for_billing_close": {"extract"},
        "extract": {"validate"},
        "validate": {"compute_indices"},
        "compute_indices": {"choose_model", "group"},
        "group": {"publish"},
        "choose_model": {"retrain", "grade"},
        "retrain": {"grade"},
        "grade": {"sensitivity"},
        "sensitivity": {"publish"},
        "publish": {"monitor", "approve_model"},
        "monitor": {"require_passed", "report"},
        "require_passed": set(),
        "report": set(),
        "approve_model": set(),
    }
    outlets = {
        name: [asset.name for asset in dag.get_task(name).outlets if isinstance(asset, Asset)] for name in following
    }
    assert {name: assets for name, assets in outlets.items() if assets} == {
        "publish": ["credit_grades"],
        "extract": ["billing_snapshot"],
    }
    assert dag.get_task("wait_for_billing_close").mode == "reschedule"


def test_steps_that_may_run_at_once_share_the_memory_of_a_month(bag):
    """But for those without an engine. The actions begin when the month is published."""
    rating, actions = (bag.dags[name].task_dict for name in ("credit_rating", "service_actions"))
    steps = {name for name in (*rating, *actions) if hasattr(Run, name)} - {"report", "record_follow_up"}
    after = {name: rating[name].get_flat_relative_ids(upstream=False) for name in rating.keys() & steps}
    after |= {name: actions[name].get_flat_relative_ids(upstream=False) for name in actions.keys() & steps}
    for name in after:
        if "publish" in after[name]:
            after[name] |= after["publish"] | (actions.keys() & steps)
    after["publish"] |= actions.keys() & steps
    at_once = [(a, b) for a in steps for b in steps if a < b and a not in after[b] and b not in after[a]]
    assert ("group", "retrain") in at_once
    assert ("decide_actions", "monitor") in at_once
    assert [pair for pair in at_once if sum(MEMORY.get(step, 1) for step in pair) > 1.001] == []


def test_what_follows_from_a_month(bag):
    dag = bag.dags["service_actions"]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "decide_actions": {"propose_rebates"},
        "propose_rebates": {"dispatch"},
        "dispatch": {"report", "approve_actions"},
        "approve_actions": set(),
        "report": set(),
    }


def test_what_cannot_wait_for_the_month(bag):
    dag = bag.dags["outage_notices"]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "escalate_repairs": {"notify_outages"},
        "notify_outages": {"dispatch"},
        "dispatch": set(),
    }
    assert dag.params.dump() == {"at": None}
    assert dag.timetable.expression == "*/5 * * * *"


def test_the_params_of_a_month(bag):
    assert bag.dags["credit_rating"].params.dump() == {
        "rating_month": None,
        "mode": "auto",
        "model_version": None,
        "basis": "as_known_then",
        "dry_run": False,
        "accept_moves": False,
    }


class Recorder(Run):
    """A run whose steps only note that they were called; ``choose_model`` decides as ``mode`` says."""

    called: ClassVar[list[str]]

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name.startswith("_") or not inspect.ismethod(found):
            return found

        def noted(*_):
            Recorder.called.append(name)
            return {"mode": self.mode, "models": {}, "publication_id": "", "note": name}

        noted.__name__ = name
        return noted


@pytest.mark.parametrize("mode", ["retrain", "apply"])
def test_the_dags_and_the_cycle_run_the_same_steps_in_the_same_order(bag, settings, policy, monkeypatch, mode):
    monkeypatch.setattr(cycle, "Run", Recorder)
    Recorder.called = []
    cycle.rate_month(RatingMonth(2026, 10), settings, policy, mode=mode)
    order = {step: place for place, step in enumerate(Recorder.called)}
    tasks = [task for name in ("credit_rating", "service_actions") for task in bag.dags[name].tasks]
    not_in_the_cycle = {
        "wait_for_billing_close",
        "approve_model",
        "approve_actions",
        "dispatch",
        "require_passed",
        *({"retrain"} - {mode}),
    }
    within_others = {"record_follow_up", *({"apply"} & {mode})}
    assert set(order) - within_others == {task.task_id for task in tasks} - not_in_the_cycle
    for task in tasks:
        for following in task.downstream_task_ids & order.keys():
            if task.task_id in order:
                assert order[task.task_id] < order[following], f"{task.task_id} comes before {following}"
    assert order["publish"] < min(order["decide_actions"], order["propose_rebates"])


class TestLineage:
    """What lineage tools learn: billing tables -> records -> grades."""

    @pytest.fixture
    def read_and_written(self, bag):
        """``(read, written)`` of a task: names as Airflow's OpenLineage provider makes them of tables."""

        def of(task_id):
            task = bag.dags["credit_rating"].task_dict[task_id]
            named = [
                {f"{table.cluster}/{table.database}.{table.name}" for table in tables if isinstance(table, Table)}
                for tables in (task.inlets, task.outlets)
            ]
            return tuple(named)

        return of

    def test_grades_are_traced_to_the_billing_tables(self, read_and_written):
        read, records = read_and_written("extract")
        assert {name.rpartition(".")[2] for name in read} == set(contract())
        of_records, grades = read_and_written("publish")
        assert of_records == records
        assert "gridgrade://warehouse/rating.credit_grades" in grades

    def test_the_provider_reads_them(self, bag):
        manager = pytest.importorskip("airflow.providers.openlineage.extractors.manager")
        convert = manager.ExtractorManager.convert_to_ol_dataset
        found = [convert(table) for table in bag.dags["credit_rating"].task_dict["publish"].outlets]
        names = {(dataset.namespace, dataset.name) for dataset in found if dataset}
        assert ("gridgrade://warehouse", "rating.credit_grades") in names
