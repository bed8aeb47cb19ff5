"""An explanation on a terminal."""

from rich.console import Console
from rich.table import Table

from pipeline.grading.explain import texts
from pipeline.grading.explain.explanation import Explanation

_HEADINGS = {
    "en": ("code", "index", "value", "unit", "band", "points", "against the customer"),
    "zh": ("代码", "指标", "数值", "单位", "评级", "分值", "不利原因"),
}
_LABELS = {
    "en": ("base", "score", "missing", "probability of default"),
    "zh": ("基准分", "得分", "缺失", "违约概率"),
}


def show(explanation: Explanation, console: Console) -> None:
    """Grade, the table that adds up to the score, the reasons and what the next grade needs."""
    lang, grade = explanation.lang, explanation.published.grade
    base, score, missing, probability = _LABELS[lang]
    month = explanation.published.publication.rating_month
    console.print(
        f"{grade['customer_id']}  {month}  {grade['segment']}: {grade['grade']}, {score} {grade['score']:.1f}, "
        f"{probability} {grade['default_probability']:.2%}, {grade['model_version']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(texts.basis(grade["rating_basis"], lang), soft_wrap=True)
    table = Table(*_HEADINGS[lang], show_footer=False)
    for column in (2, 5):
        table.columns[column].justify = "right"
    ranked = {reason.code: f"{place}. " for place, reason in enumerate(explanation.reasons, 1)}
    table.add_row("", base, "", "", "", f"{explanation.base_score:.2f}", "")
    for one in explanation.contributions:
        value = missing if one.value is None else f"{one.value:.2f}"
        why = ranked.get(one.code, "") + (one.text or "")
        table.add_row(one.code, one.index, value, one.unit, one.band or "", f"{one.points:+.2f}", why)
    table.add_section()
    table.add_row("", score, "", "", "", f"{grade['score']:.2f}", "")
    console.print(table)
    for sentence in explanation.needs:
        console.print(sentence, highlight=False, soft_wrap=True)
