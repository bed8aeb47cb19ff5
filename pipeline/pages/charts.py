"""Charts as SVG: declared with Altair, drawn by vl-convert in this process, coloured by the page they stand on.

Every chart takes rows (dicts) and the names of their fields, and is drawn by ``svg``. It shows no more rows than it is
given: figures come summed up from a query. Text of the rows is only ever text.
"""

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import altair as alt
from markupsafe import escape

from pipeline.pages.palette import HEAT, coloured, stand_in
from pipeline.text import visible

Row = Mapping[str, Any]
SERIES = ("series-1", "series-2", "series-3", "series-4")
TIMES = ("long-before", "before", "now")
_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
_MARKS: Mapping[str, Any] = {"points": {"point": {"size": 26}}, "line": {}, "steps": {"interpolate": "step-after"}}
_LABEL_PIXELS = 190
_PERCENT, _NUMBER = ".3~%", ",.4~r"


def svg(chart: alt.TopLevelMixin, title: str, name: str) -> str:
    """The chart as an element of a page, with ``title`` as what is read aloud.

    ``name`` sets its ids apart from those of other charts of the page. The same chart gives the same text.
    """
    drawn = _drawn(json.dumps(_visible(chart.configure(**_config()).to_dict(validate=False))))
    head, _, rest = drawn.partition(">")
    size = dict(re.findall(r'\b(width|height)="([\d.]+)"', head))
    rest = re.sub(r' (?:font-family|style|aria-[\w-]+|role)="[^"]*"', "", rest)
    ids: dict[str, str] = {}  # vl-convert counts on from chart to chart
    rest = re.sub(
        r'(\bid="|url\(#|href="#)([\w-]+)',
        lambda found: found[1] + ids.setdefault(found[2], f"{name}-{len(ids)}"),
        rest,
    )
    opening = (
        f'<svg class="chart" role="img" width="{size["width"]}" height="{size["height"]}" '
        f'viewBox="0 0 {size["width"]} {size["height"]}" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )
    return opening + coloured(rest)


def _visible(value: Any) -> Any:
    """A specification whose texts are ``visible``: a control character in one would end the process."""
    if isinstance(value, dict):
        return {_visible(name): _visible(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_visible(each) for each in value]
    return visible(value) if isinstance(value, str) else value


@lru_cache(maxsize=128)
def _drawn(specification: str) -> str:
    """The first drawing of a process takes a second or two, which start V8; later ones a tenth."""
    import vl_convert

    return vl_convert.vegalite_to_svg(specification)


def columns(
    rows: Iterable[Row],
    x: str,
    y: str,
    series: str,
    *,
    x_title: str | None,
    y_title: str | None,
    order: Sequence[str],
    colours: Sequence[str] = SERIES,
    is_share: bool = False,
    width: int = 620,
    height: int = 230,
) -> alt.TopLevelMixin:
    """Columns side by side, one of each series at every ``x``; series and ``order`` as they are to stand."""
    rows = _plain(rows)
    named = _in_order(rows, series)
    scale = alt.Scale(domain=named, range=[stand_in(colour) for colour in colours[: len(named)]])
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadiusEnd=1)
        .encode(
            x=alt.X(f"{x}:N", sort=list(order), title=x_title, axis=alt.Axis(labelAngle=0, ticks=False)),
            xOffset=alt.XOffset(f"{series}:N", sort=named),
            y=alt.Y(f"{y}:Q", title=y_title, axis=alt.Axis(format=_PERCENT if is_share else _NUMBER, tickCount=5)),
            color=alt.Color(f"{series}:N", scale=scale, sort=named, title=None),
        )
        .properties(width=width, height=height)
    )


def bars(
    rows: Iterable[Row],
    y: str,
    x: str,
    *,
    x_title: str | None,
    is_share: bool = False,
    series: str | None = None,
    order: Sequence[str] = (),
    width: int = 420,
) -> alt.TopLevelMixin:
    """Bars from left to right, one a row in the order of the rows; ``series``: what colours them, and its ``order``."""
    rows = _plain(rows)
    colour: Any = alt.value(stand_in(SERIES[0]))
    if series is not None:
        shades = dict(zip(order, SERIES, strict=False))
        named = [name for name in order if any(row[series] == name for row in rows)]
        scale = alt.Scale(domain=named, range=[stand_in(shades[name]) for name in named])
        colour = alt.Color(f"{series}:N", scale=scale, sort=named, title=None)
    axis = alt.Axis(format=_PERCENT if is_share else _NUMBER, tickCount=5)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadiusEnd=1)
        .encode(
            x=alt.X(f"{x}:Q", title=x_title, axis=axis),
            y=alt.Y(f"{y}:N", sort=_in_order(rows, y), title=None, axis=alt.Axis(ticks=False, grid=False)),
            color=colour,
        )
        .properties(width=width, height=alt.Step(22))
    )


def lines(
    rows: Iterable[Row],
    x: str,
    y: str,
    series: str,
    *,
    x_title: str | None,
    y_title: str | None,
    x_kind: Literal["N", "Q"] = "N",
    is_share: bool = False,
    x_is_share: bool = False,
    from_zero: bool = False,
    mark: Literal["points", "line", "steps"] = "points",
    label: str | None = None,
    facet: str | None = None,
    width: int = 620,
    height: int = 230,
) -> alt.TopLevelMixin:
    """A line a series, with its points, without, or in steps that begin at theirs. ``label``: a text of each row, above
    its point, where there is no ``facet``; ``facet``: a small chart of its own for each value of that field."""
    rows = _plain(rows)
    named = _in_order(rows, series)
    colour = alt.Scale(
        domain=named, range=[stand_in(colour) for colour in itertools.islice(itertools.cycle(SERIES), len(named))]
    )
    dash = alt.Scale(
        domain=named, range=[list(dash) for dash in itertools.islice(itertools.cycle(_DASHES), len(named))]
    )
    legend = alt.Legend() if len(named) > 1 else None
    if x_kind == "N":
        axis = alt.Axis(labelAngle=0, ticks=False, grid=False, labelOverlap=True, labelSeparation=8)
        across = alt.X(f"{x}:N", sort=_in_order(rows, x), title=x_title, axis=axis)
    else:
        axis = alt.Axis(format=_PERCENT if x_is_share else _NUMBER, tickCount=5)
        across = alt.X(f"{x}:Q", title=x_title, axis=axis)
    up = alt.Y(
        f"{y}:Q",
        title=y_title,
        scale=alt.Scale(zero=from_zero),
        axis=alt.Axis(format=_PERCENT if is_share else _NUMBER, tickCount=5),
    )
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2, **_MARKS[mark])
        .encode(
            x=across,
            y=up,
            color=alt.Color(f"{series}:N", scale=colour, sort=named, title=None, legend=legend),
            strokeDash=alt.StrokeDash(f"{series}:N", scale=dash, sort=named, title=None, legend=legend),
        )
        .properties(width=width, height=height)
    )
    if label is not None:
        words = alt.Chart(alt.Data(values=rows)).mark_text(dy=-12, fontSize=11, color=stand_in("text"))
        return (chart + words.encode(x=across, y=up, text=f"{label}:N")).properties(width=width, height=height)
    if facet is None:
        return chart
    small = [
        chart.properties(
            data=alt.Data(values=[row for row in rows if row[facet] == value]),
            title=alt.TitleParams(str(value), anchor="start", fontSize=12, limit=width),
        )
        for value in _in_order(rows, facet)
    ]
    return alt.concat(*small, columns=3).resolve_scale(y="shared")


def heat_map(
    rows: Iterable[Row],
    x: str,
    y: str,
    value: str,
    label: str,
    *,
    steps: Sequence[float],
    x_title: str | None,
    y_title: str | None,
    x_order: Sequence[str] | None = None,
    y_order: Sequence[str] | None = None,
    cell: tuple[int, int] = (62, 26),
) -> alt.TopLevelMixin:
    """A cell a row, the darker the higher; ``steps``: six rising bounds of the seven colours. ``label`` is text."""
    rows = _plain(rows)
    scale = alt.Scale(type="threshold", domain=list(steps), range=[stand_in(colour) for colour in HEAT])
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            f"{x}:N",
            sort=list(x_order or _in_order(rows, x)),
            title=x_title,
            axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False, grid=False, labelLimit=cell[0]),
        ),
        y=alt.Y(
            f"{y}:N",
            sort=list(y_order or _in_order(rows, y)),
            title=y_title,
            axis=alt.Axis(ticks=False, domain=False, grid=False),
        ),
    )
    squares = base.mark_rect(stroke=stand_in("card"), strokeWidth=2).encode(
        color=alt.Color(f"{value}:Q", scale=scale, legend=None)
    )
    is_high = alt.datum[value] >= steps[3]
    words = base.mark_text(fontSize=11).encode(
        text=f"{label}:N",
        color=alt.condition(is_high, alt.value(stand_in("on-heat-high")), alt.value(stand_in("on-heat-low"))),
    )
    return (squares + words).properties(width=alt.Step(cell[0]), height=alt.Step(cell[1]))


def intervals(
    rows: Iterable[Row],
    x: str,
    *,
    observed: str,
    low: str,
    high: str,
    expected: str,
    x_title: str | None,
    y_title: str | None,
    observed_label: str,
    expected_label: str,
    order: Sequence[str],
    width: int = 300,
    height: int = 220,
) -> alt.TopLevelMixin:
    """A rate with its interval beside the one expected, at every ``x``; rates on a logarithmic axis where they can."""
    rows = _plain(rows)
    rates = [row[field] for row in rows for field in (observed, expected) if row[field]]
    least = min(rates, default=0.001)
    floor = 10**-4 if least < 0.001 else 10**-3
    kept = [row | {field: max(row[field] or 0, floor) for field in (observed, low, high, expected)} for row in rows]
    named = [observed_label, expected_label]
    scale = alt.Scale(domain=named, range=[stand_in("series-1"), stand_in("series-2")])
    across = alt.X(f"{x}:N", sort=list(order), title=x_title, axis=alt.Axis(labelAngle=0, ticks=False, grid=False))
    axis = alt.Axis(format=_PERCENT, values=[1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1])
    up = alt.Scale(type="log", domainMin=floor, domainMax=1, clamp=True)

    def layer(kind: str, field: str, label: str, **mark):
        data = alt.Data(values=[row | {"series": label} for row in kept])
        chart = getattr(alt.Chart(data), f"mark_{kind}")(**mark)
        return chart.encode(
            x=across,
            y=alt.Y(f"{field}:Q", scale=up, axis=axis, title=y_title),
            color=alt.Color("series:N", scale=scale, sort=named, title=None),
        )

    span = layer("rule", low, observed_label, strokeWidth=2).encode(y2=alt.Y2(f"{high}:Q"))
    dots = layer("point", observed, observed_label, filled=True, size=60, opacity=1)
    marks = layer("tick", expected, expected_label, thickness=3, size=22, opacity=1)
    return (span + dots + marks).properties(width=width, height=height)


def _plain(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What JSON knows: a decimal as a number."""
    return [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()} for row in rows
    ]


def _in_order(rows: Sequence[Row], field: str) -> list:
    return list(dict.fromkeys(row[field] for row in rows))


def _config() -> dict[str, Any]:
    text, soft, edge = (stand_in(name) for name in ("text", "soft", "edge"))
    return {
        "aria": False,
        "background": "transparent",
        "font": "sans-serif",
        "padding": 4,
        "view": alt.ViewConfig(stroke="transparent"),
        "axis": alt.AxisConfig(
            labelColor=soft,
            titleColor=text,
            labelFontSize=11,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=8,
            gridColor=edge,
            domainColor=edge,
            tickColor=edge,
            labelLimit=_LABEL_PIXELS,
            labelPadding=5,
        ),
        "legend": alt.LegendConfig(
            orient="top",
            labelColor=text,
            titleColor=text,
            labelFontSize=12,
            labelLimit=_LABEL_PIXELS,
            symbolStrokeWidth=2,
            columnPadding=20,
        ),
        "title": alt.TitleConfig(color=text, fontWeight="bold"),
    }
