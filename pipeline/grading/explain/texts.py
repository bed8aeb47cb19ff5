"""What an explanation says, in English and Chinese."""

from collections.abc import Iterable

from pipeline.grading.explain.published_rating import Definition

LANGUAGES = ("en", "zh")

_BASIS = {
    "model": ("The model set the grade.", "等级由模型评定。"),
    "expert": (
        "The expert scorecard set the grade: too few customers defaulted to learn a model from.",
        "等级由专家评分卡评定：违约样本不足，无法训练模型。",
    ),
    "thin_file": (
        "Little is known of the customer yet: what is not is taken as that of a typical customer.",
        "客户记录较少：缺失的指标按典型客户取值。",
    ),
    "default": (
        "In default at the cut-off, which sets the worst grade whatever the score.",
        "截止日处于违约状态，无论得分如何均评为最低等级。",
    ),
    "veto": ("A veto bars a better grade, whatever the score.", "因一票否决，无论得分如何不得评为更高等级。"),
    "override": ("A person set the grade.", "等级由人工设定。"),
    "new": ("A new customer gets no better grade at first.", "新客户初期不得评为更高等级。"),
}
# By grade_rule, or by rating_basis in months from before rules were named.
_RULES = {
    "new_customer": ("A grade of its own comes with time.", "须待新客户期满后按得分评级。"),
    "promotion_buffer": (
        "The probability has to be further below the better grade's bound.",
        "违约概率须进一步低于更高等级的界限。",
    ),
    "notch_limit": ("Grades rise step by step, month by month.", "等级须逐月逐级上调。"),
    "unpaid_balance": ("First what is overdue has to be paid.", "首先须缴清逾期电费。"),
    "probation": ("First the time of probation after a default has to pass.", "须待违约后的观察期届满。"),
    "theft": ("First the veto for theft of electricity has to lapse.", "须待窃电的否决期届满。"),
    "violation": ("First the veto for a violation has to lapse.", "须待违规用电的否决期届满。"),
    "broken_plan": ("First the veto for a broken payment plan has to lapse.", "须待分期违约的否决期届满。"),
    "long_arrears": ("First the veto for long arrears has to lapse.", "须待长期欠费的否决期届满。"),
    "default": (
        "First the default has to end, by paying the debt that is overdue.",
        "首先须清偿逾期欠费，解除违约状态。",
    ),
    "default_by_register": (
        "First the default has to end, which rests on the arrears register alone, for want of bills.",
        "首先须解除违约状态；因无账单，该状态仅依据欠费登记认定。",
    ),
    "override": ("The grade set by hand has to end or be changed.", "须解除或修改人工设定的等级。"),
    "manual_veto": ("First the veto that a person set has to end.", "首先须解除人工设定的否决。"),
    "veto": ("First the veto has to end.", "首先须解除一票否决。"),
    "new": ("A grade of its own comes with time.", "须待新客户期满后按得分评级。"),
}
_SENTENCES = {
    "then": ("By its score it would have {grade}.", "按其得分应为{grade}级。"),
    "best": ("No grade is better.", "已是最高等级。"),
    "until": ("{held} From the rating of {month} on it no longer holds.", "{held}自{month}评级起不再适用。"),
    "enough": ("Its score is enough for {grade}.", "其得分已达到{grade}级。"),
    "quarantine": (
        "{count} of its records are in quarantine and left out: what is said here may be incomplete.",
        "有{count}条记录被隔离、未参与评级：以上内容可能不完整。",
    ),
    "short": ("{grade} needs {points:.1f} points more.", "升至{grade}级还需{points:.1f}分。"),
    "one": ("It is enough that {moves}.", "只需：{moves}。"),
    "all": ("It takes all of this: {moves}.", "须同时做到：{moves}。"),
    "not enough": (
        "What the customer can act on is not enough: {moves}, and {points:.1f} points are still missing.",
        "仅靠客户可改变的指标尚不足够：{moves}，之后仍差{points:.1f}分。",
    ),
    "nothing": ("Nothing that the customer can act on brings it nearer.", "客户可改变的指标均无法使其更接近。"),
    "move": (
        "{code} ({index}) goes from {value:.2f} to {needed:.2f}",
        "{code}（{index}）由{value:.2f}变为{needed:.2f}",
    ),
    "missing": ("Nothing is known of it", "暂无数据"),
    "policy": (
        "The policy has changed since: the scale and what is attainable are today's.",
        "此后评级政策已变更：等级标准与可达值按现行政策。",
    ),
}
_JOINED = ("; ", "；")


def basis(rating_basis: str, lang: str) -> str:
    return _in(lang, _BASIS[rating_basis])


def unknown(lang: str) -> str:
    """What is said of an index without a value that costs points."""
    return say(lang, "missing")


def reason(definition: Definition, lang: str) -> str | None:
    """Why an index counts against a customer."""
    return _in(lang, (definition.reason_en, definition.reason_zh)) or definition.meaning


def index(name: str, definition: Definition, lang: str) -> str:
    """What an index is called; in English by its column, the name that queries use."""
    return _in(lang, (name, definition.name_zh)) or name


def unit(definition: Definition, lang: str) -> str:
    return _in(lang, (definition.unit, definition.unit_zh)) or definition.unit


def held(rule: str, lang: str) -> str | None:
    """What has to come about before a grade is better, where this rule (or basis) holds or sets it; None for others."""
    return _in(lang, _RULES[rule]) if rule in _RULES else None


def joined(sentences: Iterable[str], lang: str) -> str:
    return _in(lang, _JOINED).join(sentences)


def say(lang: str, what: str, **values) -> str:
    """One of the sentences, filled in."""
    return _in(lang, _SENTENCES[what]).format(**values)


def _in(lang: str, both):
    return both[LANGUAGES.index(lang)]
