"""The sections of the monthly report on risk, actions and how the month was made."""

from typing import Any

from pipeline.pages import charts
from pipeline.report.figures import Figures, Row
from pipeline.report.parts import Figure, Picture, Section, Table, Words, written
from pipeline.report.sections import not_yet, section

_DRIFT_STEPS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25)
_HASHES = ("content_sha256", "input_sha256", "policy_sha256", "model_sha256", "code_sha256", "overrides_sha256")


def sensitivity(figures: Figures, words: Words) -> Section:
    """Table 1 by segment under the policy's shock, and the curves over all shocks."""
    rows = figures["risk_sensitivity"]
    if not rows:
        return not_yet(words, "sensitivity")
    name = "sections.sensitivity"
    points = [
        {
            "segment": words.value(row["segment"]),
            "factor": words.value(row["risk_factor"]),
            "shock": row["shock"],
            "value": row["score_after_change"],
        }
        for row in sorted(rows, key=lambda row: (row["segment"], _FACTORS.get(row["risk_factor"], 9), row["shock"]))
        if row["risk_factor"] != "mean"
    ]
    drawn = charts.lines(
        points,
        "shock",
        "value",
        "factor",
        x_kind="Q",
        x_is_share=True,
        facet="segment",
        x_title=words(f"{name}.shock"),
        y_title=None,
        width=220,
        height=130,
    )
    ranked = [row for row in rows if row["is_ranking_shock"]]
    shock = written(ranked[0]["shock"], "relative") if ranked else ""
    columns = {
        "segment": "word",
        "risk_factor": "word",
        "evaluation_value": "value",
        "score_after_change": "value",
        "absolute_change": "value_change",
        "relative_change": "relative",
        "rank_by_absolute_change": "count",
        "rank_by_relative_change": "count",
        "grade_changes": "count",
    }
    picture = Picture(charts.svg(drawn, words(f"{name}.alt"), "sensitivity"), words(f"{name}.chart"))
    table = words.table(words(f"{name}.shocked", shock=shock), ranked, columns, named=2)
    return section(words, "sensitivity", pictures=[picture], tables=[table] if ranked else [])


_FACTORS = {"production": 0, "management": 1, "technical": 2, "market": 3}


def drift(figures: Figures, words: Words) -> Section:
    """How far score and indices have moved from what the models learnt on, month by month."""
    rows = [row for row in figures["index_drift"] if row["stability_index"] is not None]
    if not rows:
        return not_yet(words, "drift")
    name = "sections.drift"
    pictures: list[Any] = []
    for family in dict.fromkeys(row["segment_family"] for row in rows):
        of_family = [row for row in rows if row["segment_family"] == family]
        months = sorted({row["rating_month"] for row in of_family})
        subjects = list(dict.fromkeys(row["index_name"] for row in of_family))
        labels = {row["index_name"]: _subject(row, words) for row in of_family}
        drawn = charts.heat_map(
            [
                {
                    "month": f"{row['rating_month']:%Y-%m}",
                    "index": labels[row["index_name"]],
                    "psi": row["stability_index"],
                    "text": written(row["stability_index"], "number"),
                }
                for row in of_family
            ],
            "month",
            "index",
            "psi",
            "text",
            steps=_DRIFT_STEPS,
            x_title=None,
            y_title=None,
            x_order=[f"{month:%Y-%m}" for month in months],
            y_order=[labels[subject] for subject in subjects],
            cell=(52, 22),
        )
        found = {(row["index_name"], row["rating_month"]): row for row in of_family}
        cells: list[list[Figure | str]] = [
            [
                labels[subject],
                *(
                    Figure(found[subject, month], "stability_index", "value") if (subject, month) in found else ""
                    for month in months
                ),
            ]
            for subject in subjects
        ]
        heads = [(words.column("index_name"), False), *((f"{month:%Y-%m}", True) for month in months)]
        description = words(f"{name}.alt", family=words.value(family))
        svg = charts.svg(drawn, description, f"drift-{len(pictures)}")
        pictures.append(
            Picture(svg, words(f"{name}.chart", family=words.value(family)), Table(description, heads, cells))
        )
    return section(words, "drift", pictures=pictures)


def _subject(row: Row, words: Words) -> str:
    return f"{row['code']} {row['index_name']}" if row["code"] else words("sections.drift.score")


def reasons(figures: Figures, words: Words) -> Section:
    """The ten reasons of most customers, in words."""
    rows = figures["top_reasons"]
    if not rows:
        return not_yet(words, "reasons")
    name = "sections.reasons"
    texts = {row["code"]: row[f"reason_{words.language}"] or row["meaning"] or row["code"] for row in rows}
    drawn = charts.bars(
        [{"reason": row["code"], "customers": row["customers"]} for row in rows],
        "reason",
        "customers",
        x_title=words.column("customers"),
        width=560,
    )
    kinds = {"customers": "count", "share": "percent", "first_customers": "count"}
    cells = [
        [row["code"], texts[row["code"]], *(Figure(row, column, kind) for column, kind in kinds.items())]
        for row in rows
    ]
    heads = [(words.column("code"), False), (words.column("reason"), False)]
    table = Table(words(f"{name}.title"), [*heads, *((words.column(column), True) for column in kinds)], cells, named=2)
    picture = Picture(charts.svg(drawn, words(f"{name}.alt"), "reasons"), words(f"{name}.chart"))
    return section(words, "reasons", pictures=[picture], tables=[table])


def actions(figures: Figures, words: Words) -> Section:
    """What was decided, blocked, suppressed and sent."""
    rows = figures["action_summary"]
    if not rows:
        return not_yet(words, "actions")
    name = "sections.actions"
    columns = {"action_type": "text"} | dict.fromkeys(
        ("decided", "waiting", "sent", "blocked", "suppressed", "failed"), "count"
    )
    tables = [words.table(words(f"{name}.title"), rows, columns)]
    if blocked := figures["blocked_actions"]:
        of_blocked = {"action_type": "text", "blocked_by": "text", "actions": "count"}
        tables.append(words.table(words(f"{name}.blocked"), blocked, of_blocked, named=2))
    return section(words, "actions", tables=tables)


def rebates(figures: Figures, words: Words) -> Section:
    """Rebates against the arrears that came back for them."""
    rows = figures["rebate_campaigns"]
    if not rows:
        return not_yet(words, "rebates")
    name = "sections.rebates"
    points = [
        {"campaign": f"{row['rating_month']:%Y-%m}", "money": row[column], "what": words.column(column)}
        for row in rows
        for column in ("repaid", "rebate")
    ]
    drawn = charts.columns(
        points,
        "campaign",
        "money",
        "what",
        x_title=None,
        y_title=None,
        order=list(dict.fromkeys(row["campaign"] for row in points)),
        height=180,
    )
    columns = {
        "campaign": "text",
        "customers": "count",
        "opening_arrears": "money",
        "repaid": "money",
        "repaid_share": "percent",
        "rebate": "money",
        "rebate_paid": "money",
        "clawback": "money",
    }
    picture = Picture(charts.svg(drawn, words(f"{name}.alt"), "rebates"), words(f"{name}.chart"))
    return section(
        words, "rebates", pictures=[picture], tables=[words.table(words(f"{name}.title"), rows[::-1], columns)]
    )


def quality(figures: Figures, words: Words) -> Section:
    """The month's records as they were checked."""
    rows = figures["data_quality"]
    if not rows:
        return not_yet(words, "quality")
    columns = {
        "table_name": "text",
        "records": "count",
        "quarantined": "count",
        "quarantined_share": "rate",
        "expectations": "count",
        "expectations_failed": "count",
        "expectations_warned": "count",
    }
    return section(words, "quality", tables=[words.table(words("sections.quality.title"), rows, columns)])


def made(figures: Figures, words: Words) -> Section:
    """What the month was made from, by hash."""
    [row] = figures["publications"]
    known = {"known_in": "month", "run_kind": "text", "published_by": "text"} | dict.fromkeys(_HASHES, "text")
    facts = [[words.column(column), Figure(row, column, kind)] for column, kind in known.items()]
    facts.append([words("sections.made.decision"), row["model_decision"] or words("unknown")])
    heads = [(words("sections.made.title"), False), ("", False)]
    models = figures["publication_models"]
    of_models = {
        "segment_family": "word",
        "version": "text",
        "origin": "text",
        "trained_month": "month",
        "effective_from_month": "month",
        "approved_by": "text",
        "parameters_sha256": "text",
    }
    tables = [Table(words("sections.made.title"), heads, facts)]
    tables.append(words.table(words("sections.made.models"), models, of_models))
    return section(words, "made", tables=tables)
