-- Social credit, S1: one row per rated customer. social_credit_rating is the value of the rating in force on the last
-- day before the cut-off, of several the one that began last; a rating without valid_to ends where the next begins.
-- Reads population, social_credit_ratings.
-- Parameters: as_of, social_ratings_since (the first day on which it may have begun), social_rating_value_*.
with known as (
    select
        *,
        row_number() over (partition by customer_id, valid_from order by recorded_at desc) as version
    from social_credit_ratings
    where valid_from >= :social_ratings_since and valid_from < :as_of
),

periods as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by valid_from) as next_from
    from known
    where version = 1
),

in_force as (
    select
        *,
        row_number() over (partition by customer_id order by valid_from desc) as place
    from periods
    where (valid_to is null and next_from is null) or date_diff('day', valid_to, :as_of) <= 1
)

select
    p.customer_id,
    cast(
        case r.rating
            when 'AAA' then :social_rating_value_AAA
            when 'AA' then :social_rating_value_AA
            when 'A' then :social_rating_value_A
            when 'BBB' then :social_rating_value_BBB
            when 'BB' then :social_rating_value_BB
            when 'B' then :social_rating_value_B
            when 'CCC' then :social_rating_value_CCC
            when 'CC' then :social_rating_value_CC
            when 'C' then :social_rating_value_C
            when 'D' then :social_rating_value_D
        end
        as double
    ) as social_credit_rating
from population as p
left join in_force as r on r.customer_id = p.customer_id and r.place = 1
