"""An explanation on a terminal."""

from pipeline.cli.console import print_table, say
from pipeline.grading.explain import texts
from pipeline.grading.explain.explanation import Explanation
from pipeline.report.parts import words_in

_HEADINGS = {
    "en": ("code", "index", "value", "unit", "band", "points", "against the customer"),
    "zh": ("代码", "指标", "数值", "单位", "评级", "分值", "不利原因"),
}
_LABELS = {
    "en": ("base", "score", "missing", "probability of default"),
    "zh": ("基准分", "得分", "缺失", "违约概率"),
}


def show(explanation: Explanation) -> None:
    """Grade, the table that adds up to the score, the reasons and what the next grade needs."""
    lang, grade = explanation.lang, explanation.published.grade
    base, score, missing, probability = _LABELS[lang]
    month = explanation.published.publication.rating_month
    segment = words_in(lang).value(grade["segment"])
    say(
        f"{grade['customer_id']}  {month}  {segment}: {grade['grade']}, {score} {grade['score']:.1f}, "
        f"{probability} {grade['default_probability']:.2%}, {grade['model_version']}",
        texts.basis(grade["rating_basis"], lang),
    )
    if count := grade["quarantined_records"]:
        say(texts.say(lang, "quarantine", count=count))
    ranked = {reason.code: f"{place}. " for place, reason in enumerate(explanation.reasons, 1)}
    rows = [("", base, "", "", "", f"{explanation.base_score:.2f}", "")]
    for one in explanation.contributions:
        value = missing if one.value is None else f"{one.value:.2f}"
        why = ranked.get(one.code, "") + (one.text or "")
        rows.append((one.code, one.name, value, one.unit, one.band or "", f"{one.points:+.2f}", why))
    rows.append(("", score, "", "", "", f"{grade['score']:.2f}", ""))
    print_table(_HEADINGS[lang], rows, last_rows=1)
    say(*explanation.needs)
