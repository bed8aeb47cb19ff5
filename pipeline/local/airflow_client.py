"""A client of Airflow's REST API: starts a month, follows it, and reports why it failed. Imports no Airflow."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from pipeline.errors import ConfigError, GridgradeError

DAGS = ("credit_rating", "service_actions", "outage_notices")
ADMIN = "admin"
_POLL_SECONDS = 1.0
_RUN_POLL_SECONDS = 2.0  # a run takes minutes, and each look costs the API server a tenth of a second


class AirflowError(GridgradeError):
    """Airflow did not start, refused a call, or a run did not end well."""


class AirflowBusyError(AirflowError):
    """Airflow failed at a call and changed nothing: its SQLite was locked, or its scheduler held the rows."""


class AirflowConflictError(AirflowError):
    """What a call would make is there already."""


class AirflowApi:
    """The Airflow at ``url`` as the user admin; ``logs`` is its log folder.

    ``check`` is called while something is waited for, and raises when it will never come. Make it when that Airflow
    starts: what was queued before is an earlier one's.
    """

    def __init__(self, url: str, logs: Path, password: str, check: Callable[[], None] = lambda: None) -> None:
        self.url, self.logs = url, logs
        self.check = check
        self._began = datetime.now(UTC)
        self._password, self._token = password, ""
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the scheduler and the project's DAGs.

        Also has the API server build what serves the tasks, at which the first task would otherwise time out.
        """
        deadline = time.monotonic() + seconds
        missing: str | None = "no answer"
        while time.monotonic() < deadline:
            self.check()
            try:
                missing = self._missing()
            except (httpx.TransportError, AirflowError) as error:
                missing = str(error)
            if not missing:
                return
            time.sleep(_POLL_SECONDS)
        raise AirflowError(f"Airflow is not ready after {seconds:.0f} s ({missing}): see {self.logs}")

    def _missing(self) -> str | None:
        self._request("GET", "/execution/health", None)
        if errors := self.call("GET", "importErrors")["import_errors"]:
            last = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise ConfigError(f"Airflow cannot load {errors[0]['filename']}: {last}")
        loaded = {dag["dag_id"] for dag in self.call("GET", "dags")["dags"]}
        if absent := set(DAGS) - loaded:
            return f"waiting for the DAGs {', '.join(sorted(absent))}"
        if self.call("GET", "monitor/health")["scheduler"]["status"] != "healthy":
            return "waiting for the scheduler"
        return None

    def trigger(self, dag_id: str, month: str | None, **params) -> str:
        """Start a run of a month's partition (None: of a DAG without months), as a person would; returns its run id."""
        run_id = "__".join(filter(None, ("manual", month, datetime.now(UTC).isoformat())))
        body = {"dag_run_id": run_id, "logical_date": None, "partition_key": month, "conf": params}
        with suppress(AirflowConflictError):  # the name is this call's own: an attempt before made it
            self.call("POST", f"dags/{dag_id}/dagRuns", body)
        return run_id

    def give_up_unfinished(self) -> None:
        """Fail what an earlier Airflow of the same database left running: a DAG runs one month at a time, and waits."""
        for run in self.call("GET", "dags/~/dagRuns?state=queued&state=running&limit=1000")["dag_runs"]:
            if datetime.fromisoformat(run["queued_at"] or run["run_after"]) < self._began:
                self.call("PATCH", _run_path(run["dag_id"], run["dag_run_id"]), {"state": "failed"})

    def run_ids(self, dag_id: str, month: str) -> list[str]:
        """The runs of a month's partition, in chronological order."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns?" + urlencode({"order_by": "id", "limit": 1000}))["dag_runs"]
        return [run["dag_run_id"] for run in found if run["partition_key"] == month]

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict]:
        """The tasks of a run by their id."""
        found = self.call("GET", f"{_run_path(dag_id, run_id)}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def result(self, dag_id: str, run_id: str, task_id: str):
        """What a task returned."""
        entry = f"taskInstances/{task_id}/xcomEntries/return_value?deserialize=true"
        return self.call("GET", f"{_run_path(dag_id, run_id)}/{entry}")["value"]

    def wait(
        self, dag_id: str, run_id: str, seconds: float, watch: Callable[[dict], None] = lambda tasks: None
    ) -> None:
        """Wait for a run's good end, showing its tasks to ``watch``; AirflowError with the failed task's own line."""
        deadline = time.monotonic() + seconds
        while True:
            state, tasks = self.call("GET", _run_path(dag_id, run_id))["state"], self.tasks(dag_id, run_id)
            watch(tasks)
            if state == "success":
                return
            if state == "failed":
                raise AirflowError(self._failure(dag_id, run_id, tasks))
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag_id} {run_id} is {state} after {seconds:.0f} s: see {self.logs}")
            self.check()
            time.sleep(_RUN_POLL_SECONDS)

    def wait_for_run(self, dag_id: str, month: str, earlier: set[str], seconds: float = 120) -> str:
        """The id of the run that Airflow starts by itself for a month, beside the earlier ones."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if new := [run_id for run_id in self.run_ids(dag_id, month) if run_id not in earlier]:
                return new[0]
            self.check()
            time.sleep(_POLL_SECONDS)
        raise AirflowError(f"{dag_id} did not start for {month} within {seconds:.0f} s: see {self.logs}")

    def _failure(self, dag_id: str, run_id: str, tasks: dict[str, dict]) -> str:
        failed = [task for task in tasks.values() if task["state"] == "failed"]
        if not failed:
            return f"{dag_id} {run_id} failed: see {self.logs}"
        task_id, attempt = failed[0]["task_id"], failed[0]["try_number"]
        log = self.logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}" / f"attempt={attempt}.log"
        return f"{_last_error(log) or task_id + ' failed'}; the whole log is {log}"

    @retry(
        retry=retry_if_exception_type(AirflowBusyError),
        wait=wait_exponential(multiplier=0.5, max=8),
        stop=stop_after_attempt(6),
        reraise=True,
    )
    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """One call of the interface, made again where Airflow fails; AirflowError with the answer where it refuses."""
        login = {"username": ADMIN, "password": self._password}
        self._token = self._token or self._request("POST", "/auth/token", login)["access_token"]
        return self._request(method, f"/api/v2/{path}", body)

    def _request(self, method: str, path: str, body: dict | None) -> dict:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else None
        answer = self._client.request(method, path, headers=headers, json=body)
        if answer.is_success:
            return answer.json() if answer.content else {}
        refusal = f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:500]}"
        conflict = AirflowConflictError if answer.status_code == httpx.codes.CONFLICT else AirflowError
        raise (AirflowBusyError if answer.is_server_error else conflict)(refusal)


def _run_path(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id)}"


def _last_error(log: Path) -> str | None:
    """The line the notifier left, or what was raised, from a task's log; every line of it is a JSON object."""
    try:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    except (OSError, ValueError):
        return None
    errors = [line for line in lines if line.get("level") in ("error", "critical")]
    if not errors:
        return None
    raised = errors[-1].get("error_detail")
    return f"{raised[0]['exc_type']}: {raised[0]['exc_value']}" if raised else errors[-1]["event"]
