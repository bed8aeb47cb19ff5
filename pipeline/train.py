"""Step: a new model version for each family of segments, or the one in force for the month.

A model learns from cohorts: the customers of an earlier month, their indices as known then, and what became of them in
the policy's horizon. Only cohorts whose horizon ended before the run's cut-off take part.
"""

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from pipeline import measure, queries
from pipeline.engine import Engine, open_engine
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.model import CreditModel, ExpertScorecard, GradeScale, ModelFitError, Scorecard, metrics
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import registry

MODES = ("auto", "retrain", "apply")


@dataclass(frozen=True)
class Samples:
    """One family's labelled customers: rows to fit on, to calibrate with, and to judge by."""

    fit: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame


def choose(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    mode: str = "auto",
    model_version: str | None = None,
) -> str:
    """``retrain`` or ``apply``: as told, else retrain when a family has no model in force for the month."""
    if mode not in MODES:
        raise ModelError(f"mode {mode!r} is unknown: choose {', '.join(MODES)}")
    if model_version is not None:
        if mode == "retrain":
            raise ModelError("a model version can be applied, not retrained: leave out one of mode and model_version")
        return "apply"
    if mode != "auto":
        return mode
    in_force = (registry.champion(settings, family, month) for family in policy.families)
    return "apply" if all(in_force) else "retrain"


def apply(month: RatingMonth, settings: Settings, policy: Policy, *, model_version: str | None = None) -> dict:
    """The model in force for each family in that month, with ``model_version`` in place of its own family's."""
    models = {}
    if model_version is not None:
        named = registry.model(settings, model_version)
        models[named.family] = named.version
    for family in policy.families:
        if family not in models:
            champion = registry.champion(settings, family, month)
            if champion is None:
                raise ModelError(f"{month}: no {family} model is in force for that month; run it with mode retrain")
            models[family] = champion.version
    return {"month": str(month), "mode": "apply", "models": models}


def retrain(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = measure.AS_KNOWN_THEN,
    dry_run: bool = False,
) -> dict:
    """Fit, register and put in force a model for each family; a dry run leaves it registered, not in force.

    Where there are too few defaults to learn from, the policy's expert scorecard is what is put in force.
    """
    lake = Lake(settings.lake_path)
    cohorts = mature_cohorts(lake, month, policy)
    absent = measure.absent_tables(lake, policy, month, measure.known_in(lake, month, basis))
    frame, input_sha256 = _cohort_frame(cohorts, month, settings, policy, basis)
    summary = {"month": str(month), "mode": "retrain", "cohorts": [str(cohort) for cohort in cohorts], "models": {}}
    for family in policy.families:
        samples = _samples(frame[frame["family"] == family], cohorts, policy)
        left_out = _left_out(policy, family, absent)
        model = _fit(samples, policy, family, left_out)
        parameters = model.to_dict()
        made_of = json.dumps([parameters, input_sha256, policy.sha256], sort_keys=True)
        digest = hashlib.sha256(made_of.encode()).hexdigest()
        version = f"{family}-{month}-{digest[:8]}"
        registry.register(
            settings,
            version=version,
            family=family,
            effective_from=month,
            parameters=parameters,
            metrics=_judge(model, samples, policy) | {"left_out": left_out},
            input_sha256=input_sha256,
            policy_sha256=policy.sha256,
        )
        if not dry_run:
            registry.promote(settings, version, approved_by="policy")
        summary["models"][family] = version
    return summary


def mature_cohorts(lake: Lake, month: RatingMonth, policy: Policy) -> list[RatingMonth]:
    """The newest cohorts whose label window had ended at the month's cut-off, less the embargo; oldest first."""
    newest = month - policy.label.horizon_months - policy.label.embargo_months
    known = lake.facts("bills")
    return [
        cohort
        for cohort in RatingMonth.span(newest - policy.training.cohorts + 1, newest)
        if known and cohort >= known[0]
    ]


def _cohort_frame(
    cohorts: list[RatingMonth], month: RatingMonth, settings: Settings, policy: Policy, basis: str
) -> tuple[pd.DataFrame, str]:
    """Every labelled customer of every cohort: cohort, customer_id, family, split, is_default, indices and bands."""
    lake = Lake(settings.lake_path)
    known = measure.known_in(lake, month, basis)
    digest, frames = hashlib.sha256(), []
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as scratch:
        only = _bind_sample(engine, lake, known, policy, len(cohorts))
        for cohort in cohorts:
            folder = Path(scratch, str(cohort))
            folder.mkdir()
            measured = measure.write_indices(
                engine, lake, policy, cohort, folder, customers_of=known, only=only, names=policy.scored_in_some_family
            )
            engine.bind_files("cohort", [str(file) for file in measured.files])
            outcome = cohort + policy.label.horizon_months
            bound = measure.bind(engine, lake, policy, outcome, known_in=known, customers_of=known, only=only)
            measure.write_labels(engine, policy, cohort, folder / "labels.parquet")
            engine.bind_files("outcome", [str(folder / "labels.parquet")])
            digest.update(f"{measured.input_sha256} {bound} ".encode())
            frames.append(_labelled(engine, policy).assign(cohort=str(cohort)))
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["family", "is_default"])
    return frame, digest.hexdigest()


def _bind_sample(engine: Engine, lake: Lake, snapshot: RatingMonth, policy: Policy, cohorts: int) -> str | None:
    """Bind view ``sampled`` where all customers of all cohorts are too many; the same customers in every cohort."""
    customers = lake.manifest("customers", snapshot_month=snapshot)["rows"]
    share = policy.training.max_rows / max(1, customers * cohorts)
    if share >= 1:
        return None
    engine.bind_files("everyone", lake.files("customers", snapshot_month=snapshot))
    drawn = queries.compose("select distinct customer_id from everyone where md5(:seed || customer_id) < :share")
    ids = engine.fetch(drawn, {"seed": f"sample {policy.training.seed} ", "share": _hex(share)})
    engine.bind_table("sampled", ids)
    return "sampled"


def _labelled(engine: Engine, policy: Policy) -> pd.DataFrame:
    training = policy.training
    query = queries.compose(f"""
        select
            i.customer_id,
            i.family,
            case
                when md5(:seed || i.customer_id) < :holdout then 'holdout'
                when md5(:seed || i.customer_id) < :calibration then 'calibration'
                else 'fit'
            end as split,
            cast(o.is_default as int) as is_default,
            {measure.model_columns(policy.scored_in_some_family)},
            {", ".join(f"i.{name}_band" for name in policy.scored_in_some_family)}
        from cohort as i
        inner join outcome as o on o.customer_id = i.customer_id
        where o.is_default is not null
        order by i.customer_id
    """)
    bound = {
        "seed": f"split {training.seed} ",
        "holdout": _hex(training.holdout_share),
        "calibration": _hex(training.holdout_share + training.calibration_share),
    }
    return engine.fetch(query, bound).to_pandas(types_mapper={pa.string(): pd.ArrowDtype(pa.string())}.get)


def _hex(share: float) -> str:
    """Below which an md5 falls with this probability."""
    return f"{min(int(share * 16**8), 16**8 - 1):08x}"


def _samples(frame: pd.DataFrame, cohorts: list[RatingMonth], policy: Policy) -> Samples:
    """Out of time where there are cohorts enough, and always on customers that the fit has not seen."""
    if frame.empty:
        return Samples(frame, frame, frame)
    apart = policy.training.out_of_time_cohorts
    late = frame["cohort"].isin([str(cohort) for cohort in cohorts[-apart:]] if 0 < apart < len(cohorts) else [])
    holdout = frame["split"] == "holdout"
    if late.any():
        return Samples(frame[~late & ~holdout], frame[late & ~holdout], frame[late & holdout])
    return Samples(frame[frame["split"] == "fit"], frame[frame["split"] == "calibration"], frame[holdout])


def _left_out(policy: Policy, family: str, absent: frozenset[str]) -> dict[str, str]:
    """The family's indices that the model has to do without, and why."""
    return {
        name: f"the source has no {', '.join(tables)}"
        for name in policy.scored(family)
        if (tables := [table for table in policy.indices[name].needs if table in absent])
    }


def _fit(samples: Samples, policy: Policy, family: str, left_out: Container[str] = ()) -> CreditModel | ExpertScorecard:
    terms = policy.scorecard
    scorecard = Scorecard(points=terms.points, odds=terms.odds, pdo=terms.points_to_double_odds)
    smallest = min(_rarer(samples.fit), _rarer(samples.calibration) * 5)
    if smallest < policy.training.min_defaults:
        expert = policy.expert
        known = {name: weight for name, weight in policy.expert_weights(family).items() if name not in left_out}
        weights = {f"{name}_band": weight for name, weight in known.items()}
        return ExpertScorecard(expert.intercept, weights, missing_level=expert.missing_band, scorecard=scorecard)
    names = list(policy.scored(family))
    fill = {name: fixed for name in names if isinstance(fixed := policy.indices[name].missing, float)}
    try:
        return CreditModel(scorecard).fit(
            samples.fit[names],
            samples.fit["is_default"].to_numpy(),
            calibration=(samples.calibration[names], samples.calibration["is_default"].to_numpy()),
            fill=fill,
        )
    except ModelFitError as error:
        raise ModelError(f"the model cannot be fitted: {error}") from None


def _rarer(frame: pd.DataFrame) -> int:
    """Customers in the smaller of the two classes."""
    return 0 if frame.empty else int(frame["is_default"].value_counts().reindex([0, 1], fill_value=0).min())


def _judge(model: CreditModel | ExpertScorecard, samples: Samples, policy: Policy) -> dict:
    """What the model is worth on customers it has not seen, out of time where cohorts allow."""
    counts = {
        part: {"customers": len(rows), "defaults": int(rows["is_default"].sum()) if len(rows) else 0}
        for part, rows in (("fit", samples.fit), ("calibration", samples.calibration), ("test", samples.test))
    }
    if _rarer(samples.test) == 0:
        return counts
    probability = model.default_probability(samples.test)
    outcome = samples.test["is_default"].to_numpy()
    scale = GradeScale(policy.grades.names, policy.grades.cutoffs)
    by_grade = metrics.default_rate_by_grade(scale.grade(probability), outcome, policy.grades.names)
    return counts | {
        "cohorts": sorted(samples.test["cohort"].unique()),
        "auc": metrics.auc(outcome, probability)._asdict(),
        "ks": metrics.ks(outcome, probability),
        "brier": metrics.brier(outcome, probability),
        "by_grade": by_grade[["customers", "defaults"]].to_dict("index"),
    }
