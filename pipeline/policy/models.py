"""The default label; training, promotion and monitoring of models; the expert scorecard."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.policy.base import Count, NotNegative, Positive, Section, Share


class Label(Section):
    horizon_months: Annotated[int, Field(ge=1)]
    embargo_months: Count
    min_bills: Count
    days_past_due: dict[str, Annotated[int, Field(gt=0)]]
    good_max_days_past_due: Count
    materiality_floor: NotNegative
    materiality_share: Share
    default_memory_months: Count


class Training(Section):
    cohorts: Annotated[int, Field(ge=1)]
    out_of_time_cohorts: Count
    holdout_share: Annotated[float, Field(gt=0, lt=1)]
    calibration_share: Annotated[float, Field(gt=0, lt=1)]
    min_defaults: Annotated[int, Field(ge=5)]
    max_looked_up: Annotated[int, Field(ge=1000)]
    max_rows: Annotated[int, Field(ge=1000)]
    sampled_default_share: Annotated[float, Field(gt=0, le=0.5)]
    seed: int
    binned: tuple[str, ...]
    sentinels: dict[str, tuple[float, ...]]
    shrinkage: Literal["auto", "ledoit_wolf", "none"] | Share
    contradicting_indices: Literal["leave_out", "keep"]
    max_index_auc: Annotated[float, Field(gt=0.5, le=1)]

    @model_validator(mode="after")
    def _leaves_customers_to_fit(self) -> Self:
        if self.holdout_share + self.calibration_share >= 1:
            raise ValueError("holdout_share and calibration_share leave no customers to fit on")
        return self


class Retraining(Section):
    """When mode auto trains; ``every_months`` 0 means never by the calendar."""

    every_months: Count
    in_months: tuple[Annotated[int, Field(ge=1, le=12)], ...]
    expert_every_months: Count
    on_drift: bool
    drift_rest_months: Count


class Gates(Section):
    """What a challenger has to pass; the comparisons with a champion hold where there is one."""

    min_auc: Share
    min_ks: Share
    max_brier_ratio: Positive
    max_calibration_error: NotNegative
    min_calibration_p: Share
    max_score_psi: NotNegative
    max_contradicted_points: NotNegative
    max_auc_loss: NotNegative
    max_ks_loss: NotNegative
    max_brier_gain: NotNegative


class Promotion(Section):
    mode: Literal["automatic", "manual"]
    approval_step: bool
    approval_days: Annotated[int, Field(ge=1)]
    shadow_months: Count
    gates: Gates


class Fairness(Section):
    columns: tuple[str, ...]
    groups_file: Path | None
    favourable_grades: Annotated[int, Field(ge=1)]
    min_ratio: Share
    min_share: Share


class Monitoring(Section):
    min_customers: Count
    warn_psi: NotNegative
    max_psi: NotNegative
    max_customers: Annotated[int, Field(ge=1000)]
    min_defaults: Count
    max_auc_loss: NotNegative
    max_calibration_error: NotNegative
    min_calibration_p: Share


class ScorecardTerms(Section):
    points: float
    odds: Positive
    points_to_double_odds: Positive


class Expert(Section):
    intercept: float
    missing_band: Annotated[float, Field(ge=0, le=3)]
    weights: Annotated[dict[str, NotNegative], Field(min_length=1)]
