-- One row is a step of collecting a debt, for the rows recorded in a span of time: dunning notices (FKKMAKO), payments
-- returned by the bank (DFKKRH), write-offs (DFKKWOH). Disconnections (EDISCDOC) are not here: docs/sap-isu.md.
-- Notices and write-offs carry a day and no time: they count as recorded at the end of that day.
-- SAP IS-U with FI-CA. A TEMPLATE THAT NOBODY HAS RUN AGAINST A REAL SYSTEM. Mapping, sources, what to adapt: docs/sap-isu.md.
-- ADAPT the client (MANDT), from which dunning level on a notice is one (MAHNS), and the zone of the system's clock
-- ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    e.event_id,
    trim(e.vkont) as customer_id,
    e.event_type,
    substr(e.occurred, 1, 4) || '-' || substr(e.occurred, 5, 2) || '-' || substr(e.occurred, 7, 2) as occurred_on,
    e.amount,
    to_char(
        from_tz(cast(to_timestamp(e.recorded, 'YYYYMMDDHH24MISS') as timestamp), 'Asia/Shanghai') at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS'
    ) || 'Z' as recorded_at
from (
    select
        'N' || n.laufd || trim(n.laufi) || '-' || trim(n.vkont) || '-' || n.mazae as event_id,
        n.vkont,
        'overdue_notice' as event_type,
        n.ausdt as occurred,
        cast(null as numeric(18, 2)) as amount,
        n.ausdt || '235900' as recorded
    from fkkmako n
    where n.mandt = '100'
        and n.ausdt > '00000000'
        and n.mahns >= '01'
    union all
    select
        'R' || trim(h.rlbel) as event_id,
        h.vkont,
        'returned_payment' as event_type,
        k.budat as occurred,
        h.betrr as amount,
        k.cpudt || k.cputm as recorded
    from dfkkrh h
    inner join dfkkko k on k.mandt = h.mandt and k.opbel = h.rlbel
    where h.mandt = '100'
    union all
    select
        'W' || trim(w.abbel) as event_id,
        w.vkont,
        'write_off' as event_type,
        w.abdat as occurred,
        sum(w.betrw) as amount,
        w.abdat || '235900' as recorded
    from dfkkwoh w
    where w.mandt = '100'
        and w.xrvsd = ' '
        and w.abdat > '00000000'
    group by w.abbel, w.vkont, w.abdat
) e
where e.recorded >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
    and e.recorded < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
