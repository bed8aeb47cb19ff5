-- Status and months of a family's promoted versions, as its promotions have them. One row: a version.
-- Parameters: family, is_champion (whether the champion is settled, or those that are retired).

with terms as (
    select version, from_month, lead(from_month) over (order by from_month) as until_month
    from (
        select distinct on (from_month) version, from_month
        from rating.model_promotions
        where segment = :family
        order by from_month, promotion_id desc
    ) as counting
),

states as (
    select
        p.version,
        min(p.from_month) as first_month,
        max(t.until_month) as last_month,
        bool_or(t.version is not null and t.until_month is null) as is_champion
    from rating.model_promotions as p
    left join terms as t on t.version = p.version and t.from_month = p.from_month
    where p.segment = :family
    group by p.version
)

update rating.models as m
set status = case when s.is_champion then 'champion' else 'retired' end,
    effective_from_month = s.first_month,
    retired_from_month = case when not s.is_champion then coalesce(s.last_month, s.first_month) end,
    retired_at = case when not s.is_champion then coalesce(m.retired_at, now()) end
from states as s
where s.version = m.version and s.is_champion = :is_champion
