"""The curves of a verdict as shapes of SVG, for the model card's template to write down.

Drawn here rather than by a plotting library: a card is written with every training, and one of those takes seconds to
import and keeps a cache of fonts in the user's home folder.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

WIDTH, HEIGHT = 460, 310
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 44


@dataclass(frozen=True)
class Mark:
    """One element of SVG: ``tag``, its ``attributes``, the style it is drawn in, what it says when pointed at."""

    tag: str
    attributes: Mapping[str, str | float]
    style: str
    says: str = ""


@dataclass(frozen=True)
class Axis:
    """From values to pixels: ``low`` lies at ``start``, ``high`` at ``end``; ticks are (value, text)."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value, of the nearest end if it lies outside."""
        low, high, value = (math.log(max(v, 1e-9)) if self.is_log else v for v in (self.low, self.high, value))
        share = min(max((value - low) / (high - low), 0), 1)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Chart:
    """``title`` and ``description`` are what is read aloud; ``legend`` is (style, text)."""

    title: str
    description: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    legend: Sequence[tuple[str, str]] = ()
    height: float = HEIGHT
    width: float = field(default=WIDTH, init=False)


def roc(verdict: Mapping[str, Any]) -> Chart:
    """Receiver operating characteristic."""
    auc = verdict["auc"]
    x, y = _across("Share of others flagged", _SHARES), _up("Share of defaults flagged", _SHARES)
    marks = [_line(x, y, [(0, 0), (1, 1)], "guide"), _line(x, y, verdict["curves"]["roc"], "model")]
    caption = f"AUC {auc['value']:.3f} (95% interval {auc['low']:.3f} to {auc['high']:.3f})"
    return Chart("ROC curve", caption, x, y, marks, [("model", caption), ("guide", "chance: 0.5")])


def separation(verdict: Mapping[str, Any]) -> Chart:
    """Cumulative shares of both classes by score, and their largest distance."""
    points = verdict["curves"]["ks"]
    score, goods, bads = max(points, key=lambda point: abs(point[2] - point[1]))
    x, y = _across("Score", _scores(points[0][0], points[-1][0])), _up("Share with this score or less", _SHARES)
    caption = f"KS {verdict['ks']:.3f} at a score of {score:.0f}"
    marks = [
        _line(x, y, [(p[0], p[1]) for p in points], "goods"),
        _line(x, y, [(p[0], p[2]) for p in points], "defaults"),
        _line(x, y, [(score, goods), (score, bads)], "model", caption),
    ]
    legend = [("goods", "others"), ("defaults", "defaults"), ("model", caption)]
    return Chart(
        "Separation (Kolmogorov-Smirnov)",
        f"{caption}: {bads:.0%} of defaults, {goods:.0%} of others",
        x,
        y,
        marks,
        legend,
    )


def distribution(verdict: Mapping[str, Any]) -> Chart:
    """Where the scores of both classes lie."""
    histogram = verdict["curves"]["score"]
    edges = histogram["edges"]
    shares = {name: [n / max(1, sum(histogram[name])) for n in histogram[name]] for name in ("goods", "defaults")}
    top = max(max(part) for part in shares.values())
    x = _across("Score", _scores(edges[0], edges[-1]))
    y = _up("Share of the class", (0, top * 1.05, _ticks(0, top * 1.05, _percent, 4)))
    marks = [_steps(x, y, edges, shares[name], f"{name} filled") for name in shares]
    middles = {name: _median(edges, histogram[name]) for name in shares}
    caption = (
        f"half of the defaults score below {middles['defaults']:.0f}, half of the others below {middles['goods']:.0f}"
    )
    return Chart(
        "Score distribution", caption, x, y, marks, [("goods filled", "others"), ("defaults filled", "defaults")]
    )


def calibration(verdict: Mapping[str, Any]) -> Chart:
    """Observed against expected default rates, over tenths of the customers by probability."""
    groups = verdict["curves"]["calibration"]
    axis = _rates([g[key] for g in groups for key in ("expected_rate", "low", "high")])
    x, y = _across("Expected default rate", axis, is_log=True), _up("Observed default rate", axis, is_log=True)
    marks = [_line(x, y, [(x.low, x.low), (x.high, x.high)], "guide")]
    for group in groups:
        caption = "expected {expected_rate:.2%}, observed {default_rate:.2%} of {customers:,} customers".format(**group)
        marks += _whisker(x.at(group["expected_rate"]), y, group, "model", caption)
    metrics = verdict["calibration"]
    caption = f"mean gap between observed and expected {metrics['ece']:.2%} (expected calibration error)"
    legend = [("model dot", "a tenth of the customers, 95% interval"), ("guide", "perfect calibration")]
    return Chart("Calibration", caption, x, y, marks, legend)


def grades(verdict: Mapping[str, Any]) -> Chart:
    """Expected and observed default rate of each grade."""
    rows = {name: row for name, row in verdict["by_grade"].items() if row["customers"]}
    step = 1 / len(rows)
    places = [((at + 0.5) * step, name) for at, name in enumerate(rows)]
    axis = _rates([row[key] for row in rows.values() for key in ("expected_rate", "low", "high")])
    x, y = _across("Grade", (0, 1, places)), _up("Default rate", axis, is_log=True)
    marks = []
    for (middle, name), row in zip(places, rows.values(), strict=True):
        caption = "{name}: expected {expected_rate:.2%}, observed {default_rate:.2%} of {customers:,} customers"
        caption = caption.format(name=name, **row)
        ends = [(middle - 0.3 * step, row["expected_rate"]), (middle + 0.3 * step, row["expected_rate"])]
        marks += [_line(x, y, ends, "expected", caption), *_whisker(x.at(middle), y, row, "model", caption)]
    legend = [("model dot", "observed, 95% interval"), ("expected", "expected")]
    return Chart(
        "Default rate by grade", "observed beside expected, from the best grade to the worst", x, y, marks, legend
    )


def coefficients(rows: Sequence[Mapping[str, Any]], unit: str) -> Chart:
    """Points of score that more of each index adds or costs; ``rows``: as ``coefficients``, with is_contradicted.

    A weight of evidence is drawn the way its index moves the score.
    """
    signs = {"+": 1, "-": -1}
    rows = [
        {**row, "points": signs[row["direction"]] * abs(row["points"])} if row["direction"] in signs else row
        for row in rows
    ]
    rows = sorted(rows, key=lambda row: -abs(row["points"]))
    bottom = TOP + 21 * len(rows) + 8
    reach = max(abs(row["points"]) for row in rows) * 1.05 or 1.0
    x = Axis(f"Points {unit}", -reach, reach, _ticks(-reach, reach, _signed, 6), LEFT + 150, WIDTH - RIGHT)
    places = [(at + 0.5, row["feature"]) for at, row in enumerate(rows)]
    y = Axis("", 0, len(rows), places, TOP, bottom)
    marks = [_line(x, y, [(0, 0), (0, len(rows))], "zero")]
    for (middle, name), row in zip(places, rows, strict=True):
        left, right = sorted((x.at(0), x.at(row["points"])))
        box = {"x": left, "y": y.at(middle) - 7, "width": max(right - left, 0.5), "height": 14, "rx": 2}
        contradicted = row["is_contradicted"]
        style = "contradicted" if contradicted else "goods bar" if row["points"] > 0 else "defaults bar"
        caption = f"{name}: {row['points']:+.1f} points {unit}" + (", against its direction" if contradicted else "")
        marks.append(Mark("rect", box, style, caption))
    legend = [("goods bar", "more is better"), ("defaults bar", "more is worse")]
    if any(row["is_contradicted"] for row in rows):
        legend.append(("contradicted", "against its direction"))
    return Chart("What moves the score", f"points {unit}", x, y, marks, legend, height=bottom + BOTTOM)


Range = tuple[float, float, Sequence[tuple[float, str]]]


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def _signed(value: float) -> str:
    return f"{value:+.3g}" if value else "0"


_SHARES: Range = (0.0, 1.0, [(tenth / 10, _percent(tenth / 10)) for tenth in range(0, 11, 2)])


def _scores(low: float, high: float) -> Range:
    if high <= low:
        low, high = low - 1, high + 1
    return low, high, _ticks(low, high, lambda value: f"{value:g}", 6)


def _rates(rates: Iterable[float]) -> Range:
    """A logarithmic range of default rates, a thousandth at the least."""
    rates = [rate for rate in rates if rate is not None]
    low = max(0.0005, min([rate for rate in rates if rate > 0], default=0.001) / 1.3)
    high = min(1.0, max(*rates, 2 * low) * 1.3)
    steps = [digit * 10.0**power for power in range(-4, 1) for digit in (1, 2, 5)]
    return low, high, [(step, _percent(step)) for step in steps if low <= step <= high]


def _ticks(low: float, high: float, text: Callable[[float], str], about: int) -> list[tuple[float, str]]:
    """Round numbers between low and high, some ``about`` of them."""
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = min((digit * unit for digit in (1, 2, 2.5, 5, 10)), key=lambda digit: abs(digit - rough))
    return [(k * step, text(k * step)) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _across(label: str, values: Range, *, is_log: bool = False) -> Axis:
    return Axis(label, *values, LEFT, WIDTH - RIGHT, is_log)


def _up(label: str, values: Range, *, is_log: bool = False) -> Axis:
    return Axis(label, *values, HEIGHT - BOTTOM, TOP, is_log)


def _line(x: Axis, y: Axis, points: Iterable[Sequence[float]], style: str, says: str = "") -> Mark:
    return Mark("polyline", {"points": _path(x, y, points)}, f"{style} line", says)


def _steps(x: Axis, y: Axis, edges: Sequence[float], heights: Sequence[float], style: str) -> Mark:
    steps = zip(pairwise(edges), heights, strict=True)
    corners = [corner for ends, height in steps for corner in product(ends, [height])]
    return Mark("polygon", {"points": _path(x, y, [(edges[0], 0), *corners, (edges[-1], 0)])}, style)


def _path(x: Axis, y: Axis, points: Iterable[Sequence[float]]) -> str:
    return " ".join(f"{x.at(a):g},{y.at(b):g}" for a, b in points)


def _whisker(x: float, y: Axis, row: Mapping[str, Any], style: str, says: str) -> list[Mark]:
    """A dot at the observed rate with its interval."""
    interval = {"x1": x, "x2": x, "y1": y.at(row["low"]), "y2": y.at(row["high"])}
    dot = {"cx": x, "cy": y.at(row["default_rate"]), "r": 4}
    return [Mark("line", interval, f"{style} line", says), Mark("circle", dot, f"{style} dot", says)]


def _median(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Of a histogram, by its bars."""
    half, reached = sum(counts) / 2, 0
    for at, count in enumerate(counts):
        reached += count
        if reached >= half:
            return (edges[at] + edges[at + 1]) / 2
    return edges[-1]
