-- The latest checks of a model version. One row: a check.
-- Parameters: version.

select
    rating_month,
    measure,
    subject,
    compared_with,
    compared_month,
    value,
    limit_value,
    customers,
    unseen,
    status,
    detail
from rating.model_monitoring
where version = :version
    and rating_month = (select max(rating_month) from rating.model_monitoring where version = :version)
order by measure, subject, compared_with
