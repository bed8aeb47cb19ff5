-- A cohort as default_label reads it: one row per customer connected at the cohort's cut-off, with segment, family, the
-- number of bills and whether the customer is in default, all as known then.
-- Reads population, families, default_status, known_bills.
select
    p.customer_id,
    p.segment,
    f.family,
    coalesce(b.bills, 0) as bills,
    d.customer_id is not null as is_in_default
from population as p
left join families as f on f.segment = p.segment
left join default_status as d on d.customer_id = p.customer_id
left join known_bills as b on b.customer_id = p.customer_id
