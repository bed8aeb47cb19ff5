-- One row says that the billing of a month is complete. Read whole, and only to tell whether a month may be rated.
select
    billing_month,
    closed_at
from billing_closes
