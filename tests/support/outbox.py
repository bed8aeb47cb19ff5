"""An outbox to send from: one warehouse for the tests of a module, emptied between them."""

import json
import uuid
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from pipeline.actions.channels.letters import sample
from pipeline.actions.outbox import propose
from pipeline.actions.outbox.dispatch import dispatch
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.source.write import arrow_schema, replace_tables
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication

MONTH = RatingMonth(2026, 3)
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "0123456789abcdef-secret"
QUICK = {"timeout_seconds": 0.5, "backoff_seconds": 60, "max_backoff_seconds": 600, "attempts": 3, "per_minute": 60000}


class House:
    """``policy`` sends what its types say; ``settings`` know the receivers that ``at`` was given."""

    def __init__(self, settings, policy: Policy, connections: tuple | None = None):
        self.settings, self.policy = settings, policy
        url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        self.connections = connections or (psycopg.connect(url, autocommit=True), dbapi.connect(url))

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

    def empty(self) -> None:
        self.sql(
            "truncate ops.publications, ops.service_actions, ops.service_action_events, ops.account_managers cascade"
        )
        self.sql("update ops.action_channels set next_free_at = now()")

    def at(self, **settings: Any) -> "House":
        """The same house with other settings."""
        fresh = type(self.settings)(**self.settings.model_dump() | settings)
        return House(fresh, self.policy, self.connections)

    def under(self, types: dict, **channel: Any) -> "House":
        """The same house, under a policy of these types alone and of channels that are quick to give up."""
        document = self.policy.model_dump(mode="json")
        use = document["actions"]["channels"]["webhook"] | QUICK | channel
        actions = document["actions"] | {"types": types, "channels": {"webhook": use, "email": use}}
        return House(self.settings, Policy(**document | {"actions": actions}), self.connections)

    def sql(self, statement: str, *parameters) -> list[tuple]:
        cursor = self.connections[0].execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def publish(self, run_kind="scheduled", month=MONTH) -> Publication:
        hashes = {f"{name}_sha256": "0" for name in ("content", "input", "policy", "model")}
        run = {"rows": 0, "model_versions": {}, "run_id": "test", "basis": "as_known_then"}
        with transaction(self.settings) as connection:
            revision = publications.next_revision(connection, month)
            fresh = Publication(uuid.uuid4(), month, revision=revision, run_kind=run_kind, **run, **hashes)
            return publications.record(connection, fresh)

    def decide(self, action_type: str, *customers: str, run_kind=None, payload=None, **more: Any) -> list[str]:
        """Propose an action of a type for each customer, with what ``more`` says; their ids."""
        with transaction(self.settings) as connection:
            publication = publications.current(connection, MONTH)
        publication = publication or self.publish()
        with self.connections[1].cursor() as cursor:
            said = json.dumps(sample(action_type) if payload is None else payload)
            columns = "".join(f", cast('{value}' as {kind}) as {name}" for name, (kind, value) in more.items())
            propose.propose(
                cursor,
                publication,
                action_type,
                "select array[customer] as reference, customer as customer_id, 'because' as reason, "
                f"cast($1 as jsonb) as payload{columns} from jsonb_array_elements_text(cast($2 as jsonb)) as customer",
                [said, json.dumps(customers)],
                run_kind=run_kind,
            )
        self.connections[1].commit()
        return [propose.action_id(action_type, customer) for customer in customers]

    def dispatch(self, **more: Any) -> dict:
        return dispatch(self.settings, self.policy, **more)

    def pass_time(self) -> None:
        """A day goes by: leases have run out, retries are due, channels have rested."""
        self.sql(
            "update ops.service_actions set leased_until = leased_until - interval '1 day', "
            "next_attempt_at = next_attempt_at - interval '1 day'"
        )
        self.sql("update ops.action_channels set next_free_at = next_free_at - interval '1 day'")

    def dispatch_until_settled(self, rounds=20) -> None:
        for _ in range(rounds):
            self.dispatch()
            if not self.statuses().keys() & {"approved"}:
                return
            self.pass_time()
        raise AssertionError(f"still not settled: {self.statuses()}")

    def statuses(self) -> Counter:
        return Counter(dict(self.sql("select status, count(*) from ops.service_actions group by 1")))

    def row(self, action_id: str, *columns: str) -> tuple:
        [found] = self.sql(f"select {', '.join(columns)} from ops.service_actions where action_id = %s", action_id)
        return found

    def history(self, action_id: str) -> list[tuple[str, str, str | None]]:
        return self.sql(
            "select status, changed_by, note from ops.service_action_events where action_id = %s order by event_id",
            action_id,
        )

    def customers(self, **contacts: tuple[str | None, str | None]) -> None:
        """The billing system's customers: by id, contact and preferred channel."""
        known = {"segment": "residential", "region": "north", "connected_on": date(2020, 1, 1), "recorded_at": RECORDED}
        rows = [
            known | {"customer_id": name, "contact": contact, "preferred_channel": preferred}
            for name, (contact, preferred) in sorted(contacts.items())
        ]
        batches = pa.Table.from_pylist(rows, arrow_schema("customers")).to_batches()
        replace_tables(self.settings.source, (("customers", batch) for batch in batches))
