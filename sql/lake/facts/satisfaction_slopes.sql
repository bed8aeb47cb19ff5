-- How satisfaction moved with the quality of service: one row per pair of a customer's answers on one dimension, on
-- different days. Quality is the gap between what was perceived and what was expected; slope is the change in
-- satisfaction per change in quality. Pairs of equal quality tell nothing and are left out.
-- Reads satisfaction_surveys. Parameters: as_of, since_service_quality_sensitivity.
with answers as (
    select
        customer_id,
        dimension,
        surveyed_on,
        perception - expectation as quality,
        satisfaction
    from satisfaction_surveys
    where surveyed_on >= :since_service_quality_sensitivity and surveyed_on < :as_of
)

select
    a.customer_id,
    cast(b.satisfaction - a.satisfaction as double) / (b.quality - a.quality) as slope
from answers as a
inner join answers as b
    on b.customer_id = a.customer_id
    and b.dimension = a.dimension
    and b.surveyed_on > a.surveyed_on
    and b.quality <> a.quality
