"""The client of Airflow's REST API, against a server on this machine that answers as it is asked to."""

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.local.airflow_client import AirflowApi, AirflowError

LEFT = {
    "dag_id": "outage_notices",
    "dag_run_id": "scheduled__2026-11-29T08:55:00+00:00",
    "queued_at": "2026-11-29T08:55:01.5Z",
}
OWN = {
    "dag_id": "outage_notices",
    "dag_run_id": "scheduled__9999-01-01T00:00:00+00:00",
    "queued_at": "9999-01-01T00:00:01Z",
}


@pytest.fixture
def answers(tmp_path):
    """(client, states to answer the next changes with, the changes that arrived)."""
    script, changes = deque(), []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, code: int, body: dict) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self._answer(200, {"dag_runs": [LEFT, OWN]})

        def do_POST(self):
            if self.path == "/auth/token":
                return self._answer(201, {"access_token": "t"})
            changes.append((self.path, self.headers["Authorization"]))
            return self._answer(script.popleft() if script else 200, {"detail": "Database error"})

        def do_PATCH(self):
            changes.append((self.path, self.headers["Authorization"]))
            self._answer(script.popleft() if script else 200, {"detail": "Database error"})

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield AirflowApi(f"http://127.0.0.1:{server.server_port}", tmp_path, "password"), script, changes
    server.shutdown()
    server.server_close()


def test_only_what_an_earlier_airflow_left_is_given_up(answers):
    airflow, _, changes = answers
    airflow.give_up_unfinished()
    assert [path.rpartition("/")[2] for path, _ in changes] == ["scheduled__2026-11-29T08%3A55%3A00%2B00%3A00"]


def test_a_run_whose_rows_the_scheduler_holds_is_given_up_at_a_later_attempt(answers):
    airflow, script, changes = answers
    script.extend([500, 503])
    airflow.give_up_unfinished()
    path = "/api/v2/dags/outage_notices/dagRuns/scheduled__2026-11-29T08%3A55%3A00%2B00%3A00"
    assert changes == [(path, "Bearer t")] * 3


def test_what_airflow_refuses_is_not_asked_again(answers):
    airflow, script, changes = answers
    script.append(403)
    with pytest.raises(AirflowError, match=r"Airflow refused PATCH .*: 403 .*Database error"):
        airflow.give_up_unfinished()
    assert len(changes) == 1


def test_a_run_is_started_once_however_often_the_database_is_locked(answers):
    airflow, script, changes = answers
    script.extend([500, 409])  # the first attempt made it, and failed at what came after
    started = airflow.trigger("credit_rating", "2026-10")
    assert started.startswith("manual__2026-10__")
    assert changes == [("/api/v2/dags/credit_rating/dagRuns", "Bearer t")] * 2


def test_a_run_that_airflow_refuses_is_an_error(answers):
    airflow, script, _ = answers
    script.append(422)
    with pytest.raises(AirflowError, match=r"Airflow refused POST .*/credit_rating/dagRuns: 422"):
        airflow.trigger("credit_rating", "2026-10")
