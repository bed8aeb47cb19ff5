"""A small utility with a published month: records in the lake, grades and groups in the warehouse."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

from pipeline.actions.measures.decide import decide_actions
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.warehouse.tables.index_columns import ensure_index_columns
from tests.support.outbox import House
from tests.support.records.lake import fill_lake, tables

MONTH = RatingMonth(2026, 10)
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time().replace(hour=12), UTC)


def bill(customer: str, due_on: str, amount: str = "100.00", number: int = 1, **changed) -> dict:
    due = date.fromisoformat(due_on)
    issued = changed.pop("issued_on", due.replace(day=1))
    return {
        "bill_id": f"B-{customer}-{due_on}-{number}",
        "customer_id": customer,
        "billing_month": issued.replace(day=1),
        "issued_on": issued,
        "due_on": due,
        "amount": Decimal(amount),
        "is_estimated": False,
        "recorded_at": noon(str(issued)),
    } | changed


def payment(customer: str, paid_on: str, amount: str, bill_id: str | None = None, **changed) -> dict:
    return {
        "payment_id": f"P-{customer}-{paid_on}-{amount}",
        "customer_id": customer,
        "bill_id": bill_id,
        "paid_on": date.fromisoformat(paid_on),
        "amount": Decimal(amount),
        "recorded_at": noon(paid_on),
    } | changed


def event(customer: str, event_type: str, occurred_on: str) -> dict:
    return {
        "event_id": f"E-{customer}-{event_type}-{occurred_on}",
        "customer_id": customer,
        "event_type": event_type,
        "occurred_on": date.fromisoformat(occurred_on),
        "recorded_at": noon(occurred_on),
    }


class Town(House):
    """``settled`` fills lake and warehouse; then ``decide`` and ``actions``."""

    def settled(
        self, people: dict[str, dict], *, month: RatingMonth = MONTH, run_kind: str = "scheduled", **facts
    ) -> "Town":
        """A fresh lake and month. Of each customer: grade (B), value_group, revenue, outage_sensitivity,
        consumption_trend as published, and columns of the customer's record."""
        lake = self.settings.home / f"lake-{uuid.uuid4()}"
        town = Town(self.settings.model_copy(update={"lake": lake}), self.policy)
        customers = [self._customer(name, said) for name, said in people.items()]
        fill_lake(Lake(lake), tables(customers=customers, **facts), month)
        town.publish_rows(people, month, run_kind)
        return town

    def under_measures(self, **changed) -> "Town":
        """The same town, under a policy that says something else of measures."""
        document = self.policy.model_dump(mode="json")
        return Town(self.settings, Policy(**document | {"measures": document["measures"] | changed}))

    def decide(self, month: RatingMonth = MONTH) -> dict:
        return decide_actions(month, self.settings, self.policy)

    def actions(self, action_type: str | None = None) -> list[tuple[str, str, dict]]:
        """customer, status or the protection that blocks, and payload."""
        return self.sql(
            "select customer_id, coalesce(blocked_by, status), payload from ops.service_actions "
            "where action_type = coalesce(%s, action_type) order by action_type, customer_id, action_id",
            action_type,
        )

    def who(self, action_type: str) -> list[str]:
        return [name for name, status, _ in self.actions(action_type) if status == "proposed"]

    def publish_rows(self, people: dict[str, dict], month: RatingMonth, run_kind: str = "scheduled") -> None:
        publication = self.publish(run_kind, month)
        ensure_index_columns(self.settings, {"consumption_trend": self.policy.indices["consumption_trend"]})
        first, after = month.first_day, (month + 1).first_day
        for table in ("credit_grades", "customer_groups", "credit_indices"):
            name = f"rating.{table}_{month.year}_{month.month:02}"
            partition = f"create table if not exists {name} partition of rating.{table}"
            self.sql(f"{partition} for values from ('{first}') to ('{after}')")
            self.sql(f"truncate {name}")
        for name, said in people.items():
            key = (first, name, said.get("segment", "residential"))
            self.sql(
                "insert into rating.credit_grades (rating_month, customer_id, segment, score, default_probability, "
                "grade, rating_basis, model_version, publication_id) "
                "values (%s, %s, %s, 600, 0.02, %s, 'model', 'v', %s)",
                *key, said.get("grade", "B"), publication.publication_id,
            )  # fmt: skip
            self.sql(
                "insert into rating.customer_groups (rating_month, customer_id, segment, value_group, group_name, "
                "life_cycle_stage, outage_sensitivity, revenue, publication_id) "
                "values (%s, %s, %s, %s, 'g', 'mature', %s, %s, %s)",
                *key, said.get("value_group", "medium value"), said.get("outage_sensitivity"), said.get("revenue", 100),
                publication.publication_id,
            )  # fmt: skip
            self.sql(
                "insert into rating.credit_indices (rating_month, customer_id, is_thin_file, consumption_trend, "
                "publication_id) values (%s, %s, false, %s, %s)",
                first, name, said.get("consumption_trend", 0), publication.publication_id,
            )  # fmt: skip

    @staticmethod
    def _customer(name: str, said: dict) -> dict:
        record = {"segment": "residential", "region": "north", "feeder_id": "F1", "connected_on": date(2015, 1, 1)}
        published = {"grade", "value_group", "revenue", "outage_sensitivity", "consumption_trend"}
        given = {key: value for key, value in said.items() if key not in published}
        return {"customer_id": name, "recorded_at": LONG_AGO} | record | given
