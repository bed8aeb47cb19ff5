"""The sections of the monthly report on the portfolio, in the order of the page: each from the rows of its views."""

from collections.abc import Sequence
from typing import Any

from pipeline.pages import charts
from pipeline.report.figures import Figures, Row
from pipeline.report.parts import Figure, Picture, Section, Table, Words, written

_MIGRATION_STEPS = (0.005, 0.02, 0.05, 0.15, 0.4, 0.7)
_LOSS_STEPS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15)
_MOST_REGIONS = 10


def section(words: Words, name: str, **parts) -> Section:
    """A section with the title and the lead of its name; ``lead`` may be given, filled in."""
    lead = parts.pop("lead", None)
    return Section(name, words(f"sections.{name}.title"), lead or words(f"sections.{name}.lead"), **parts)


def not_yet(words: Words, name: str) -> Section:
    """A section that has nothing to show, and says why."""
    return Section(name, words(f"sections.{name}.title"), "", notes=[words(f"sections.{name}.none")])


def grades(figures: Figures, words: Words) -> Section:
    """Customers by grade: a year ago, last month, now."""
    rows = figures["grade_distribution"]
    if not rows:
        return not_yet(words, "grades")
    months = sorted({row["rating_month"] for row in rows})
    by_grade: dict[str, dict] = {}
    for row in rows:
        by_grade.setdefault(row["grade"], {})[row["rating_month"]] = row
    of_now = [row["grade"] for row in rows if row["rating_month"] == figures.month.first_day]
    order = [*of_now, *(grade for grade in by_grade if grade not in of_now)]
    latest_first = months[::-1]
    cells = [
        [grade]
        + [
            _figure(by_grade[grade].get(month), column, kind)
            for month in latest_first
            for column, kind in _GRADE_COLUMNS
        ]
        for grade in order
    ]
    heads = [(words.column("grade"), False)] + [
        (f"{month:%Y-%m} {words.column(column).lower()}", True)
        for month in latest_first
        for column, _ in _GRADE_COLUMNS
    ]
    name = "sections.grades"
    description = words(f"{name}.alt", months=", ".join(f"{month:%Y-%m}" for month in months))
    drawn = charts.columns(
        [
            {"grade": row["grade"], "customers": row["customers"], "month": f"{row['rating_month']:%Y-%m}"}
            for row in rows
        ],
        "grade",
        "customers",
        "month",
        x_title=words.column("grade"),
        y_title=words.column("customers"),
        order=order,
        colours=charts.TIMES[-len(months) :],
    )
    picture = Picture(charts.svg(drawn, description, "grades"), words(f"{name}.chart"))
    return section(words, "grades", pictures=[picture], tables=[Table(description, heads, cells)])


_GRADE_COLUMNS = (("customers", "count"), ("share", "percent"))


def migration(figures: Figures, words: Words) -> Section:
    """The migration matrix as a heat map, its customers as a table."""
    rows = figures["grade_migration"]
    if not rows:
        return not_yet(words, "migration")
    name = "sections.migration"
    before = list(dict.fromkeys(row["from_state"] for row in rows))
    now = list(dict.fromkeys(row["to_state"] for row in sorted(rows, key=lambda row: row["to_ordinal"])))
    previous = f"{rows[0]['previous_month']:%Y-%m}"
    description = words(f"{name}.alt", previous=previous, month=str(figures.month))
    drawn = charts.heat_map(
        [
            {"from": words.value(row["from_state"]), "to": words.value(row["to_state"]), "share": row["share"]}
            | {"text": written(row["share"], "percent")}
            for row in rows
        ],
        "to",
        "from",
        "share",
        "text",
        steps=_MIGRATION_STEPS,
        x_title=words(f"{name}.to"),
        y_title=words(f"{name}.from"),
        x_order=[words.value(state) for state in now],
        y_order=[words.value(state) for state in before],
        cell=(72, 30),
    )
    found = {(row["from_state"], row["to_state"]): row for row in rows}
    cells = [
        [words.value(state), *(_figure(found.get((state, other)), "customers", "count") for other in now)]
        for state in before
    ]
    heads = [
        (f"{words(f'{name}.from')} → {words(f'{name}.to')}", False),
        *((words.value(state), True) for state in now),
    ]
    table = Table(words.column("customers"), heads, cells)
    picture = Picture(charts.svg(drawn, description, "migration"), words(f"{name}.chart"), table)
    return section(words, "migration", pictures=[picture], lead=words(f"{name}.lead", previous=previous))


def reliability(figures: Figures, words: Words) -> Section:
    """Expected and observed default rates by grade, of the latest cohort with known outcomes and of all cohorts."""
    rows = figures["reliability"]
    if not rows:
        return not_yet(words, "reliability")
    name = "sections.reliability"
    pictures: list[Any] = []
    for family in dict.fromkeys(row["segment_family"] for row in rows):
        of_family = [row for row in rows if row["segment_family"] == family]
        latest = max(row["rating_month"] for row in of_family)
        by_grade = [row for row in of_family if row["rating_month"] == latest and row["customers"]]
        cohort = f"{by_grade[0]['cohort_month']:%Y-%m}" if by_grade else ""
        filled = {"family": words.value(family), "cohort": cohort}
        drawn = charts.intervals(
            [row for row in by_grade if not row["is_total"]],
            "grade",
            observed="observed_rate",
            low="observed_rate_low",
            high="observed_rate_high",
            expected="expected_rate",
            x_title=words.column("grade"),
            y_title=None,
            observed_label=words.column("observed_rate"),
            expected_label=words.column("expected_rate"),
            order=list(dict.fromkeys(row["grade"] for row in by_grade if not row["is_total"])),
        )
        cells = [
            [words.value("all") if row["is_total"] else row["grade"]]
            + [Figure(row, column, kind) for column, kind in _RELIABILITY.items()]
            for row in by_grade
        ]
        heads = [(words.column("grade"), False), *((words.column(column), True) for column in _RELIABILITY)]
        table = Table(words(f"{name}.alt", **filled), heads, cells)
        svg = charts.svg(drawn, table.caption, f"reliability-{len(pictures)}")
        pictures.append(Picture(svg, words(f"{name}.chart", **filled), table))
    return section(words, "reliability", pictures=pictures, tables=_cohorts(rows, words))


def _cohorts(rows: Sequence[Row], words: Words) -> list[Table]:
    totals = [row for row in rows if row["is_total"] and row["customers"]]
    if len({row["cohort_month"] for row in totals}) < 2:
        return []
    columns = {"cohort_month": "month", "segment_family": "word", **_RELIABILITY}
    return [words.table(words("sections.reliability.over_time"), totals, columns, named=2)]


_RELIABILITY = {
    "customers": "count",
    "defaults": "count",
    "expected_rate": "rate",
    "observed_rate": "rate",
    "observed_rate_low": "rate",
    "observed_rate_high": "rate",
}


def loss(figures: Figures, words: Words) -> Section:
    """Expected loss and arrears by segment and region."""
    rows = figures["expected_loss"]
    name = "sections.loss"
    labelled = [
        {
            "segment": words.value(row["segment"]),
            "region": row["region"] or words("unknown"),
            "rate": row["expected_loss_rate"] or 0,
            "loss": row["expected_loss"] or 0,
            "text": written(row["expected_loss_rate"], "percent"),
        }
        for row in rows
    ]
    regions = sorted({str(row["region"]) for row in labelled})
    if len(regions) <= _MOST_REGIONS:
        description = words(f"{name}.alt")
        drawn = charts.heat_map(
            labelled,
            "region",
            "segment",
            "rate",
            "text",
            steps=_LOSS_STEPS,
            x_title=None,
            y_title=None,
            x_order=regions,
            cell=(78, 30),
        )
        picture = Picture(charts.svg(drawn, description, "loss"), words(f"{name}.chart"))
    else:
        description = words(f"{name}.alt_bars")
        most = [row | {"where": f"{row['segment']}, {row['region']}"} for row in labelled[:12]]
        drawn = charts.bars(most, "where", "loss", x_title=words.column("expected_loss"))
        picture = Picture(charts.svg(drawn, description, "loss"), words(f"{name}.chart_bars"))
    kinds = {
        "customers": "count",
        "mean_default_probability": "rate",
        "exposure": "money",
        "expected_loss": "money",
        "expected_loss_rate": "rate",
        "receivable": "money",
        "overdue": "money",
    }
    cells = [
        [words.value(row["segment"]), row["region"] or words("unknown")]
        + [Figure(row, column, kind) for column, kind in kinds.items()]
        for row in rows
    ]
    heads = [(words.column(column), False) for column in ("segment", "region")]
    heads += [(words.column(column), True) for column in kinds]
    notes = [] if any(row["receivable"] is not None for row in rows) else [words(f"{name}.no_money")]
    if "expected_loss" in figures.cut:
        notes.append(words("cut", rows=str(len(rows)), view="expected_loss"))
    return section(
        words, "loss", pictures=[picture], tables=[Table(words(f"{name}.title"), heads, cells, named=2)], notes=notes
    )


def recovery(figures: Figures, words: Words) -> Section:
    """Recovery and turnover, month by month."""
    rows = figures["arrears_recovery"]
    if not rows:
        return not_yet(words, "recovery")
    name = "sections.recovery"
    pictures: list[Any] = []
    for column, chart, is_share in (("recovery_rate", "chart", True), ("turnover", "turnover", False)):
        points = [
            {"month": f"{row['rating_month']:%Y-%m}", "value": row[column], "of": column}
            for row in rows
            if row[column] is not None
        ]
        if len(points) < 2:
            continue
        drawn = charts.lines(
            points, "month", "value", "of", x_title=None, y_title=None, is_share=is_share, width=360, height=170
        )
        description = words(f"{name}.{'alt' if chart == 'chart' else 'turnover_alt'}")
        pictures.append(Picture(charts.svg(drawn, description, column), words(f"{name}.{chart}")))
    columns = {
        "rating_month": "month",
        **dict.fromkeys(("billed", "collected"), "money"),
        "recovery_rate": "percent",
        **dict.fromkeys(("receivable", "overdue"), "money"),
        "turnover": "number",
    }
    table = words.table(words(f"{name}.title"), rows[::-1], columns)
    return section(words, "recovery", pictures=pictures, tables=[table])


def reconciliation(figures: Figures, words: Words) -> Section:
    """What is overdue by the bills, against the arrears register, by segment and outcome."""
    rows = figures["arrears_reconciliation"]
    if not rows:
        return not_yet(words, "reconciliation")
    kinds = {"customers": "count", **dict.fromkeys(("overdue_by_bills", "overdue_by_register", "difference"), "money")}
    cells = [
        [words.value(row["segment"]) if row["segment"] else words("unknown"), words.value(row["outcome"])]
        + [Figure(row, column, kind) for column, kind in kinds.items()]
        for row in rows
    ]
    heads = [(words.column(column), False) for column in ("segment", "outcome")]
    heads += [(words.column(column), True) for column in kinds]
    table = Table(words("sections.reconciliation.title"), heads, cells, named=2)
    return section(words, "reconciliation", tables=[table])


def groups(figures: Figures, words: Words) -> Section:
    """Customer groups with their profiles."""
    rows = figures["customer_groups"]
    if not rows:
        return not_yet(words, "groups")
    name = "sections.groups"
    shares = [{"group": row["group_name"], "share": row["revenue_share"] or 0} for row in rows[:15]]
    drawn = charts.bars(shares, "group", "share", x_title=None, is_share=True)
    columns = {
        "group_name": "text",
        "customers": "count",
        "share": "percent",
        "revenue": "money",
        "revenue_share": "percent",
        "mean_score": "score",
        "mean_default_probability": "rate",
    }
    profiles = {
        "aspect": "word",
        "group_name": "text",
        "customers": "count",
        "mean_revenue": "money",
        "profile": "text",
    }
    picture = Picture(charts.svg(drawn, words(f"{name}.alt"), "groups"), words(f"{name}.chart"))
    tables = [
        words.table(words(f"{name}.title"), rows, columns),
        words.table(words(f"{name}.profiles"), figures["group_profiles"], profiles, named=2),
    ]
    return section(words, "groups", pictures=[picture], tables=tables)


def life_cycle(figures: Figures, words: Words) -> Section:
    """The life-cycle curve: what a customer of each stage is worth, and how many there are."""
    rows = figures["life_cycle_curve"]
    if not figures.of_month("life_cycle_curve", figures.month):
        return not_yet(words, "life_cycle")
    name = "sections.life_cycle"
    points = [
        {
            "stage": words.value(row["life_cycle_stage"]),
            "month": f"{row['rating_month']:%Y-%m}",
            "customers": row["customers"],
            "mean": row["mean_revenue"],
        }
        for row in rows
    ]
    order = [words.value(stage) for stage in ("new", "growth", "mature", "decline", "closed")]
    months = list(dict.fromkeys(row["month"] for row in points))
    size: dict[str, Any] = {"width": 340, "height": 180}
    stages = charts.columns(
        points,
        "stage",
        "customers",
        "month",
        x_title=None,
        y_title=None,
        order=order,
        colours=charts.TIMES[-len(months) :],
        **size,
    )
    curve = charts.lines(
        sorted(points, key=lambda row: (order.index(row["stage"]), row["month"])),
        "stage",
        "mean",
        "month",
        x_title=None,
        y_title=None,
        from_zero=True,
        **size,
    )
    pictures = [
        Picture(charts.svg(curve, words(f"{name}.alt"), "curve"), words(f"{name}.chart")),
        Picture(charts.svg(stages, words(f"{name}.customers_alt"), "stages"), words(f"{name}.customers")),
    ]
    columns = {
        "life_cycle_stage": "word",
        "rating_month": "month",
        "customers": "count",
        "share": "percent",
        "revenue": "money",
        "mean_revenue": "money",
    }
    latest_first = sorted(rows, key=lambda row: row["rating_month"], reverse=True)
    table = words.table(words(f"{name}.title"), latest_first, columns, named=2)
    return section(words, "life_cycle", pictures=pictures, tables=[table])


def _figure(row: Row | None, column: str, kind: str) -> Figure | str:
    return Figure(row, column, kind) if row is not None else ""
