-- One row a customer, month and index of its model: value, band, and the points it adds to the score or takes away.
-- base_score and the points of a customer's rows add up to the score: where the model's calibration is piecewise linear,
-- the plain points of its terms are scaled by one factor a customer. Filter by customer_id and rating_month.
-- Reads rating.credit_grades, rating.credit_indices, rating.model_coefficients, rating.grade_scales and
-- rating.index_definitions. A month published before missing_indices was recorded has it null: there, only an index
-- without a value counts as missing.

select
    t.rating_month,
    t.customer_id,
    t.segment,
    t.grade,
    t.grade_ordinal,
    t.rating_basis,
    t.score,
    t.base_score,
    t.code,
    t.index_name,
    t.meaning,
    t.unit,
    t.value,
    t.band,
    t.is_missing,
    sum(t.points) * case
        when abs(sum(sum(t.points)) over customer) <= 1e-9 then 1
        else (t.score - t.base_score) / sum(sum(t.points)) over customer
    end as points,
    t.reason_rank,
    case
        when sum(t.points) < 0 and sum(t.points) filter (where not t.is_unset_flag) < 0 and not t.is_missing and t.band <> 'A'
            then t.reason_en
    end as reason_en,
    case
        when sum(t.points) < 0 and sum(t.points) filter (where not t.is_unset_flag) < 0 and not t.is_missing and t.band <> 'A'
            then t.reason_zh
    end as reason_zh,
    t.model_version
from (
    select
        g.rating_month,
        g.customer_id,
        g.segment,
        g.grade,
        o.grade_ordinal,
        g.rating_basis,
        g.score,
        b.points_per_unit as base_score,
        d.code,
        c.index_name,
        d.meaning,
        d.unit,
        case when not x.is_missing then x.value end as value,
        x.band,
        x.is_missing,
        case c.kind
            when 'value' then c.points_per_unit * (
                case
                    when x.is_missing or x.value = any(coalesce(c.codes, '{}')) then c.fill
                    else least(greatest(x.value, c.lower), c.upper)
                end - c.mean
            ) / c.scale
            when 'missing' then c.points_per_unit * (case when x.is_missing then 1 else 0 end - c.mean) / c.scale
            when 'sentinel' then c.points_per_unit * (
                case when not x.is_missing and x.value = any(c.codes) then 1 else 0 end - c.mean
            ) / c.scale
            when 'band' then coalesce(c.points[strpos('ABCD', x.band)], c.points_missing)
            when 'woe' then
                case
                    when x.is_missing then c.points_missing
                    else coalesce(
                        c.points_codes[array_position(c.codes, x.value)], c.points[width_bucket(x.value, c.edges) + 1]
                    )
                end
        end as points,
        -- What a customer loses by having a value, or by its being no code, is no reason.
        c.kind = 'missing' and not x.is_missing
        or c.kind = 'sentinel' and (x.is_missing or not x.value = any(c.codes)) as is_unset_flag,
        array_position(array[g.reason_1, g.reason_2, g.reason_3, g.reason_4], d.code) as reason_rank,
        d.reason_en,
        d.reason_zh,
        g.model_version
    from rating.credit_grades as g
    inner join rating.credit_indices as i on i.rating_month = g.rating_month and i.customer_id = g.customer_id
    -- A row as JSON, so that an index is found by its name, whichever the policy has. offset 0: made once a customer.
    cross join lateral (select to_jsonb(i) as document offset 0) as r
    inner join rating.model_coefficients as b on b.version = g.model_version and b.kind = 'base'
    inner join rating.model_coefficients as c on c.version = g.model_version and c.kind <> 'base'
    left join rating.grade_scales as o on o.publication_id = g.publication_id and o.grade = g.grade
    left join rating.index_definitions as d on d.index_name = c.index_name
    cross join lateral (
        select
            cast(r.document ->> c.index_name as double precision) as value,
            r.document ->> (c.index_name || '_band') as band,
            r.document ->> c.index_name is null or coalesce(d.code = any(i.missing_indices), false) as is_missing
    ) as x
) as t
group by
    t.rating_month,
    t.customer_id,
    t.segment,
    t.grade,
    t.grade_ordinal,
    t.rating_basis,
    t.score,
    t.base_score,
    t.code,
    t.index_name,
    t.meaning,
    t.unit,
    t.value,
    t.band,
    t.is_missing,
    t.reason_rank,
    t.reason_en,
    t.reason_zh,
    t.model_version
window customer as (partition by t.rating_month, t.customer_id)
