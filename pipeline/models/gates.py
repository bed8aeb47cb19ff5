"""The gates a challenger has to pass, from what was measured of it on customers and months it has not seen.

A gate is a JSON-safe dict: ``gate`` (its name), ``passed``, ``is_hard`` (a model that fails it may not serve at all),
``value``, ``limit`` and ``detail``, in words what the numbers do not say.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.policy import Policy

Gate = dict[str, Any]
Verdict = Mapping[str, Any]


def held_against(
    policy: Policy,
    verdict: Verdict,
    *,
    champion: Verdict | None,
    score_psi: float,
    contradicted: Mapping[str, float],
    adverse: Mapping[str, Sequence[Mapping]],
) -> list[Gate]:
    """Every gate of the policy, each passed or not.

    ``verdict``: ``pipeline.scorecard.evaluate`` of the challenger on the test rows; ``champion``: the same of the
    champion on the same rows, None where there is none to compare with. ``score_psi``: of its score between fit
    and test. ``contradicted``: points per standard deviation by index whose sign is the wrong way round. ``adverse``:
    by grouping, the rows of ``pipeline.scorecard.adverse_impact``.
    """
    if "auc" not in verdict:
        seen = f"{verdict['customers']} test customers with {verdict['defaults']} defaults tell nothing"
        return [_gate("auc", False, None, policy.promotion.gates.min_auc, seen, is_hard=True)]
    return [
        *_of_its_own(policy, verdict, champion),
        *(_beside_champion(policy, verdict, champion) if champion and "auc" in champion else ()),
        _stability(policy, score_psi),
        _signs(policy, contradicted),
        _adverse_impact(policy, adverse),
    ]


def failed(gates: Iterable[Gate], *, is_hard: bool | None = None) -> list[Gate]:
    """Those not passed: all, or the hard ones alone."""
    return [gate for gate in gates if not gate["passed"] and (is_hard is None or gate["is_hard"] == is_hard)]


def describe(gates: Iterable[Gate]) -> str:
    """Gates as a line: "auc 0.58, limit 0.6; signs ..."."""
    return "; ".join(_describe(gate) for gate in gates)


def off_calibration(by_grade: Mapping[str, Mapping], min_p: float) -> tuple[float, list[str]]:
    """The largest |defaults / expected - 1| among the grades where chance does not explain it, and those grades."""
    errors = {
        grade: abs(row["defaults"] / row["expected"] - 1)
        for grade, row in by_grade.items()
        if row["customers"] and row["expected"] > 0 and row["p_adjusted"] < min_p
    }
    return max(errors.values(), default=0.0), sorted(errors, key=lambda grade: errors[grade], reverse=True)


def _of_its_own(policy: Policy, verdict: Verdict, champion: Verdict | None) -> list[Gate]:
    """A calibration no worse than the champion's on the same rows is no reason to keep the champion."""
    limits = policy.promotion.gates
    rate = verdict["defaults"] / verdict["customers"]
    auc, brier = verdict["auc"]["value"], verdict["brier"] / (rate * (1 - rate))
    error, grades = off_calibration(verdict["by_grade"], limits.min_calibration_p)
    worst, _ = off_calibration((champion or {}).get("by_grade", {}), limits.min_calibration_p)
    off_by = max(limits.max_calibration_error, worst)
    interval = f"95% interval {verdict['auc']['low']:.3f} to {verdict['auc']['high']:.3f}"
    return [
        _gate("auc", auc >= limits.min_auc, auc, limits.min_auc, interval, is_hard=True),
        _gate("ks", verdict["ks"] >= limits.min_ks, verdict["ks"], limits.min_ks, is_hard=True),
        _gate("brier", brier <= limits.max_brier_ratio, brier, limits.max_brier_ratio, is_hard=True),
        _gate("calibration", error <= off_by, error, off_by, _list(grades)),
    ]


def _beside_champion(policy: Policy, verdict: Verdict, champion: Verdict) -> list[Gate]:
    limits = policy.promotion.gates
    auc = champion["auc"]["value"] - verdict["auc"]["value"]
    ks = champion["ks"] - verdict["ks"]
    brier = verdict["brier"] / champion["brier"] - 1
    return [
        _gate(
            "auc_loss", auc <= limits.max_auc_loss, auc, limits.max_auc_loss, f"champion {champion['auc']['value']:.3f}"
        ),
        _gate("ks_loss", ks <= limits.max_ks_loss, ks, limits.max_ks_loss, f"champion {champion['ks']:.3f}"),
        _gate(
            "brier_gain",
            brier <= limits.max_brier_gain,
            brier,
            limits.max_brier_gain,
            f"champion {champion['brier']:.4f}",
        ),
    ]


def _stability(policy: Policy, score_psi: float) -> Gate:
    limit = policy.promotion.gates.max_score_psi
    return _gate("stability", score_psi <= limit, score_psi, limit)


def _signs(policy: Policy, contradicted: Mapping[str, float]) -> Gate:
    limit = policy.promotion.gates.max_contradicted_points
    worst = sorted(contradicted, key=lambda name: abs(contradicted[name]), reverse=True)
    value = max((abs(points) for points in contradicted.values()), default=0.0)
    return _gate("signs", value <= limit, value, limit, _list(worst))


def _adverse_impact(policy: Policy, adverse: Mapping[str, Sequence[Mapping]]) -> Gate:
    """A ratio below the policy's counts where it is not chance alone: its interval lies below one."""
    limit = policy.fairness.min_ratio
    if not adverse:
        return _gate("adverse_impact", True, None, limit, "not screened: policy fairness names no groups")
    judged = [
        (row["ratio"], f"{grouping} {row['group']}")
        for grouping, rows in adverse.items()
        for row in rows
        if row["is_adverse"] and row["ratio_high"] < 1
    ]
    worst = min(judged, default=None)
    return _gate(
        "adverse_impact", worst is None, worst and worst[0], limit, _list([name for _, name in sorted(judged)])
    )


def _gate(
    name: str, passed: bool, value: float | None, limit: float, detail: str = "", *, is_hard: bool = False
) -> Gate:
    value = None if value is None else float(value)
    return {"gate": name, "passed": bool(passed), "is_hard": is_hard, "value": value, "limit": limit, "detail": detail}


def _describe(gate: Gate) -> str:
    value = "unknown" if gate["value"] is None else f"{gate['value']:.3g}"
    detail = f" ({gate['detail']})" if gate["detail"] else ""
    return f"{gate['gate']} {value}, limit {gate['limit']:g}{detail}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
