"""Customer groups and the stages of the life cycle."""

from typing import Annotated

from pydantic import Field

from pipeline.policy.base import Count, Section

Level = float | dict[str, float]
Archetypes = Annotated[dict[Annotated[str, Field(min_length=1)], Level], Field(min_length=1)]


class Groups(Section):
    """Names of customer groups, by aspect, and where each is expected to lie; see defaults/customers.yaml."""

    value: Archetypes
    demand: Archetypes
    behaviour: Archetypes
    sample_rows: Annotated[int, Field(ge=1000)]
    seed: Count


class LifeCycle(Section):
    new_months: Count
    growth: Annotated[float, Field(ge=0)]
    decline: Annotated[float, Field(le=0)]
