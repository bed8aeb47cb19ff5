"""A firm with something in every table of the source, so that it has every index."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from pipeline.month import RatingMonth
from tests.support.records.billing import Tables, customer


def firm(number: int) -> dict:
    return customer(
        number,
        segment="industrial",
        feeder_id=f"F{number}",
        contract_capacity_kva=Decimal(400),
        has_reactive_compensation=False,
    )


def life(number: int, month: RatingMonth, recorded_at: datetime, *, onwards: bool = False) -> Tables:
    """Everything dated in ``month`` or, what takes several months, in those before it too, or else from it onwards."""
    step = 1 if onwards else -1
    own = {"customer_id": f"C{number:03}", "recorded_at": recorded_at}
    day = month.first_day + timedelta(days=9)

    def at(hour: int) -> datetime:
        return datetime.combine(day, time(hour), recorded_at.tzinfo)

    bills = [_bill(f"B{number}-{back}", month + step * back, back) | own for back in range(16)]
    return {
        "customers": [firm(number)],
        "bills": bills,
        "payments": [
            {"payment_id": f"P{bill['bill_id']}", "bill_id": bill["bill_id"], "amount": bill["amount"] / 2}
            | {"paid_on": bill["issued_on"] + timedelta(days=21)}
            | own
            for bill in bills
        ],
        "arrears": [_in_arrears(month) | own],
        "collection_events": [
            {"event_id": f"E{number}", "event_type": "overdue_notice", "occurred_on": day} | own,
        ],
        "violations": [{"violation_id": f"V{number}", "violation_type": "theft", "detected_on": day} | own],
        "financial_statements": [_statement(f"S{number}", day) | own],
        "calibrations": [{"calibration_id": f"K{number}", "due_on": day} | own],
        "grid_accidents": [
            {"accident_id": f"G{number}", "occurred_on": day, "severity": 2, "customer_minutes_lost": 100}
            | {"is_customer_caused": True}
            | own
        ],
        "social_credit_ratings": [{"rating": "B", "valid_from": day} | own],
        "satisfaction_surveys": [
            {"survey_id": f"Q{number}-{back}", "surveyed_on": (month + step * back).first_day, "dimension": "billing"}
            | {"expectation": 5, "perception": 5 + back, "satisfaction": 5 + back // 2}
            | own
            for back in range(4)
        ],
        "outages": [
            {"outage_id": f"O{number}", "feeder_id": f"F{number}", "is_planned": False, "starts_at": at(8)}
            | {"recorded_at": recorded_at}
        ],
        "service_contacts": [
            {"contact_id": f"T{number}", "contact_type": "outage_report", "contacted_at": at(9)} | own,
        ],
    }


def _bill(name: str, month: RatingMonth, number: int) -> dict:
    return {
        "bill_id": name,
        "billing_month": month.first_day,
        "issued_on": month.first_day,
        "due_on": month.first_day + timedelta(days=20),
        "amount": Decimal(100),
        "kwh": Decimal(1000 + 10 * number),
        "kvarh": Decimal(900),
        "is_estimated": False,
    }


def _in_arrears(month: RatingMonth) -> dict:
    return {
        "as_of": (month + 1).first_day - timedelta(days=1),
        "amount_overdue": Decimal(50),
        "days_past_due": 500,
        "late_fee": Decimal(0),
        "is_disputed": False,
        "is_on_payment_plan": False,
    }


def _statement(name: str, published_on: date) -> dict:
    return {
        "statement_id": name,
        "period_end": published_on - timedelta(days=90),
        "published_on": published_on,
        "total_assets": Decimal(100),
        "total_liabilities": Decimal(70),
        "current_assets": Decimal(30),
        "current_liabilities": Decimal(20),
        "net_profit": Decimal(4),
        "average_net_assets": Decimal(30),
        "loans_due": Decimal(10),
        "loans_repaid_on_schedule": Decimal(9),
    }
