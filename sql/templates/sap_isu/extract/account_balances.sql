-- One row is what a contract account owed (below zero: its credit) at the end of the span of time: the items posted by then
-- (DFKKOP) and not cleared by then, statistical ones left out. It reads all of DFKKOP: seldom needed beyond the first month.
-- SAP IS-U with FI-CA. A TEMPLATE THAT NOBODY HAS RUN AGAINST A REAL SYSTEM. Mapping, sources, what to adapt: docs/sap-isu.md.
-- ADAPT the client (MANDT) and the zone of the system's clock ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    trim(s.vkont) as customer_id,
    to_char(cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp) - interval '1' second, 'YYYY-MM-DD') as as_of,
    s.balance,
    to_char((:recorded_before at time zone 'UTC') - interval '1' second, 'YYYY-MM-DD HH24:MI:SS') || 'Z' as recorded_at
from (
    select
        o.vkont,
        sum(o.betrw) as balance
    from dfkkop o
    where o.mandt = '100'
        and o.stakz = ' '
        and o.budat < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
        and (o.augst = ' ' or o.augdt >= to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD'))
    group by o.vkont
) s
where :recorded_from < :recorded_before
