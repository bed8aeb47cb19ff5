"""The curves of a verdict as charts of the model card, each with what it says in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipeline.pages import charts

_WIDTH, _HEIGHT = 350, 210


@dataclass(frozen=True)
class Picture:
    """A chart, its ``title`` and what it shows in a line; both are read aloud."""

    svg: Markup
    title: str
    says: str


def roc(verdict: Mapping[str, Any]) -> Picture:
    """Receiver operating characteristic."""
    auc = verdict["auc"]
    says = f"AUC {auc['value']:.3f} (95% interval {auc['low']:.3f} to {auc['high']:.3f})"
    others, defaults = "Share of others flagged", "Share of defaults flagged"
    points = [{"x": x, "y": y, "of": "model"} for x, y in verdict["curves"]["roc"]]
    points += [{"x": end, "y": end, "of": "chance: 0.5"} for end in (0, 1)]
    return _curves("ROC curve", says, points, others, defaults, x_is_share=True)


def separation(verdict: Mapping[str, Any]) -> Picture:
    """Cumulative shares of both classes by score, and their largest distance."""
    found = verdict["curves"]["ks"]
    score, goods, bads = max(found, key=lambda point: abs(point[2] - point[1]))
    distance = f"KS {verdict['ks']:.3f} at a score of {score:.0f}"
    points = [{"x": at, "y": share, "of": "others"} for at, share, _ in found]
    points += [{"x": at, "y": share, "of": "defaults"} for at, _, share in found]
    points += [{"x": score, "y": share, "of": "distance"} for share in (goods, bads)]
    says = f"{distance}: {bads:.0%} of defaults, {goods:.0%} of others"
    return _curves("Separation (Kolmogorov-Smirnov)", says, points, "Score", "Share with this score or less")


def distribution(verdict: Mapping[str, Any]) -> Picture:
    """Where the scores of both classes lie."""
    histogram = verdict["curves"]["score"]
    edges, names = histogram["edges"], {"goods": "others", "defaults": "defaults"}
    points = [
        {"x": edge, "y": count / max(1, sum(histogram[part])), "of": name}
        for part, name in names.items()
        for edge, count in zip(edges, [*histogram[part], histogram[part][-1]], strict=True)
    ]
    middle = {part: _median(edges, histogram[part]) for part in names}
    says = f"half of the defaults score below {middle['defaults']:.0f}, half of the others below {middle['goods']:.0f}"
    return _curves("Score distribution", says, points, "Score", "Share of the class", mark="steps", from_zero=True)


def calibration(verdict: Mapping[str, Any]) -> Picture:
    """Observed against expected default rates, over tenths of the customers by probability."""
    groups = [group | {"tenth": str(place)} for place, group in enumerate(verdict["curves"]["calibration"], 1)]
    error = verdict["calibration"]["ece"]
    says = f"mean gap between observed and expected {error:.2%} (expected calibration error)"
    return _rates("Calibration", says, groups, "tenth", "Tenths of the customers, from the least probability on")


def grades(verdict: Mapping[str, Any]) -> Picture:
    """Expected and observed default rate of each grade."""
    rows = [{"grade": name} | row for name, row in verdict["by_grade"].items() if row["customers"]]
    says = "observed beside expected, from the best grade to the worst"
    return _rates("Default rate by grade", says, rows, "grade", "Grade")


def coefficients(rows: Sequence[Mapping[str, Any]], unit: str) -> Picture:
    """Points of score that more of each index adds or costs; ``rows``: as ``coefficients``, with is_contradicted.

    A weight of evidence is drawn the way its index moves the score.
    """
    signs = {"+": 1, "-": -1}
    drawn = [
        {
            "feature": row["feature"],
            "points": signs[row["direction"]] * abs(row["points"]) if row["direction"] in signs else row["points"],
            "is_contradicted": row["is_contradicted"],
        }
        for row in rows
    ]
    drawn.sort(key=lambda row: -abs(row["points"]))
    for row in drawn:
        better = "more is better" if row["points"] > 0 else "more is worse"
        row["of"] = "against its direction" if row["is_contradicted"] else better
    chart = charts.bars(
        drawn,
        "feature",
        "points",
        x_title=f"Points {unit}",
        series="of",
        order=("more is better", "more is worse", "against its direction"),
        width=_WIDTH,
    )
    return _picture(chart, "What moves the score", f"points {unit}")


def _curves(
    title: str, says: str, points: list[dict[str, Any]], x_title: str, y_title: str, *, mark: Any = "line", **more: Any
) -> Picture:
    chart = charts.lines(
        points,
        "x",
        "y",
        "of",
        x_title=x_title,
        y_title=y_title,
        x_kind="Q",
        is_share=True,
        mark=mark,
        width=_WIDTH,
        height=_HEIGHT,
        **more,
    )
    return _picture(chart, title, says)


def _rates(title: str, says: str, rows: Sequence[Mapping[str, Any]], x: str, x_title: str) -> Picture:
    chart = charts.intervals(
        rows,
        x,
        observed="default_rate",
        low="low",
        high="high",
        expected="expected_rate",
        x_title=x_title,
        y_title="Default rate",
        observed_label="observed",
        expected_label="expected",
        order=[row[x] for row in rows],
        width=_WIDTH,
        height=_HEIGHT,
    )
    return _picture(chart, title, says)


def _picture(chart: Any, title: str, says: str) -> Picture:
    name = title.split(maxsplit=1)[0].lower()
    return Picture(Markup(charts.svg(chart, f"{title}: {says}", name)), title, says)  # noqa: S704 ours


def _median(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Of a histogram, by its bars."""
    half, reached = sum(counts) / 2, 0
    for at, count in enumerate(counts):
        reached += count
        if reached >= half:
            return (edges[at] + edges[at + 1]) / 2
    return edges[-1]
