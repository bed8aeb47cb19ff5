"""The colours of every page and chart by name, for light and for dark.

Told apart with any colour vision (after Okabe and Ito), and in print by their lightness. A chart is drawn once, in
stand-ins; its SVG names the colours as CSS variables, so that it follows the page.
"""

import re

COLOURS = {
    # name: (light, dark)
    "page": ("#f5f6f8", "#11151a"),
    "card": ("#ffffff", "#191f27"),
    "edge": ("#d9dee5", "#303946"),
    "text": ("#18212d", "#e6eaf0"),
    "soft": ("#566172", "#a3aebd"),
    "link": ("#0b5a9d", "#7cbcf2"),
    "good": ("#156f45", "#6fd3a0"),
    "good-soft": ("#e3f3ea", "#15301f"),
    "warn": ("#7a5200", "#e8bb55"),
    "warn-soft": ("#fbf0d9", "#33280f"),
    "bad": ("#a92219", "#ff948b"),
    "bad-soft": ("#fbe7e5", "#3b1f1e"),
    "series-1": ("#0b5a9d", "#6db3ee"),
    "series-2": ("#c2570c", "#f39a63"),
    "series-3": ("#1a7f6b", "#58c9b0"),
    "series-4": ("#8b3f86", "#d795d2"),
    "now": ("#0b4f8a", "#7cbcf2"),
    "before": ("#6fa3d0", "#41729d"),
    "long-before": ("#b9c4d0", "#4b5766"),
    "heat-0": ("#f2f5f9", "#1d2530"),
    "heat-1": ("#dce7f3", "#20344b"),
    "heat-2": ("#bcd4ea", "#234766"),
    "heat-3": ("#92bbdf", "#2a5d87"),
    "heat-4": ("#4d8cc4", "#4d8cc4"),
    "heat-5": ("#1f669f", "#85b9e6"),
    "heat-6": ("#0d4474", "#bfdcf5"),
    "on-heat-low": ("#18212d", "#e6eaf0"),
    "on-heat-high": ("#ffffff", "#0c1218"),
}
HEAT = tuple(f"heat-{step}" for step in range(7))

_STAND_INS = {name: f"#1dea{number:02x}" for number, name in enumerate(COLOURS)}
_NAMES = {stand_in: name for name, stand_in in _STAND_INS.items()}
_FOUND = re.compile("|".join(_NAMES))


def stand_in(name: str) -> str:
    """The colour to draw a chart in where ``name`` is meant."""
    return _STAND_INS[name]


def coloured(svg: str) -> str:
    """An SVG that was drawn in stand-ins, with the CSS variables of the page in their place."""
    return _FOUND.sub(lambda found: f"var(--{_NAMES[found.group()]})", svg)


def variables(*dark: str) -> str:
    """The colours as CSS. ``dark``: what opens each rule that says when dark is meant; without any, where the system
    says so, but for paper."""
    light_rules, dark_rules = (
        " ".join(f"--{name}: {colours[which]};" for name, colours in COLOURS.items()) for which in (0, 1)
    )
    rules = [f":root {{ color-scheme: light; {light_rules} }}"]
    for opening in dark or ("@media screen and (prefers-color-scheme: dark) { :root",):
        rules.append(f"{opening} {{ color-scheme: dark; {dark_rules} }}{' }' * opening.count('{')}")
    return "\n".join(rules) + "\n"
