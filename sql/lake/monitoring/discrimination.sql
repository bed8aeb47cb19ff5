-- How well the published scores of a cohort with known outcomes separate defaults from the others: one row per model version.
-- defaults and others count the customers. A default and another customer make a pair; it is concordant where the
-- default has the lower score, and half where both have the same. From here on everything is doubled, so that a half is
-- a whole number and sums are exact:
--   concordant                    2 * concordant pairs
--   squares_of_defaults           sum over the defaults of the square of 2 * the pairs of each
--   squares_of_others             the same over the others
--   distance                      the largest distance of the two distributions * defaults * others (for KS)
--   squared_error                 sum of (default probability - outcome) ^ 2 (for Brier)
-- Reads rated_outcomes (model_version, score, default_probability, is_default). No parameters.
with by_score as (
    select
        model_version,
        score,
        sum(case when is_default then 1 else 0 end) as defaults,
        sum(case when is_default then 0 else 1 end) as others,
        sum(
            cast(
                (default_probability - case when is_default then 1 else 0 end)
                * (default_probability - case when is_default then 1 else 0 end)
                as decimal(18, 15)
            )
        ) as squared_error
    from rated_outcomes
    group by model_version, score
),

cumulated as (
    select
        model_version,
        defaults,
        others,
        squared_error,
        sum(defaults) over (partition by model_version order by score rows unbounded preceding) as defaults_so_far,
        sum(others) over (partition by model_version order by score rows unbounded preceding) as others_so_far,
        sum(defaults) over (partition by model_version) as all_defaults,
        sum(others) over (partition by model_version) as all_others
    from by_score
),

paired as (
    select
        model_version,
        defaults,
        others,
        squared_error,
        cast(2 * (all_others - others_so_far) + others as decimal(38, 0)) as of_a_default,
        cast(2 * (defaults_so_far - defaults) + defaults as decimal(38, 0)) as of_another,
        cast(abs(defaults_so_far * all_others - others_so_far * all_defaults) as decimal(38, 0)) as distance
    from cumulated
)

select
    model_version,
    sum(defaults) as defaults,
    sum(others) as others,
    sum(defaults * of_a_default) as concordant,
    sum(defaults * of_a_default * of_a_default) as squares_of_defaults,
    sum(others * of_another * of_another) as squares_of_others,
    max(distance) as distance,
    sum(squared_error) as squared_error
from paired
group by model_version
