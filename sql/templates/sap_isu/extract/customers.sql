-- One row is a contract account as IS-U knows it now: FKKVKP with its electricity contracts (EVER). The tables keep no history:
-- a past month sees today's account determination and company code, and a move-in or move-out once its day has come.
-- SAP IS-U with FI-CA. A TEMPLATE THAT NOBODY HAS RUN AGAINST A REAL SYSTEM. Mapping, sources, what to adapt: docs/sap-isu.md.
-- ADAPT the client (MANDT), the division that is electricity (SPARTE), the account determination ids (KOFIZ), and the zone of
-- the system's clock ('Asia/Shanghai').
-- :recorded_before  timestamptz, the end of the snapshot's month
select
    trim(a.vkont) as customer_id,
    case
        when c.kofiz in ('01') then 'residential'
        when c.kofiz in ('02') then 'commercial'
        when c.kofiz in ('03') then 'industrial'
        when c.kofiz in ('04') then 'agricultural'
        when c.kofiz in ('05') then 'public'
        else c.kofiz -- goes into quarantine, named, until it is listed above
    end as segment,
    c.bukrs as region,
    substr(c.connected, 1, 4) || '-' || substr(c.connected, 5, 2) || '-' || substr(c.connected, 7, 2) as connected_on,
    case
        when c.closed < '99991231'
            then substr(c.closed, 1, 4) || '-' || substr(c.closed, 5, 2) || '-' || substr(c.closed, 7, 2)
    end as closed_on,
    to_char(
        from_tz(cast(to_timestamp(a.erdat, 'YYYYMMDD') as timestamp), 'Asia/Shanghai') at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS'
    ) || 'Z' as recorded_at
from (
    select
        vp.mandt,
        vp.vkont,
        min(vp.erdat) as erdat
    from fkkvkp vp
    where vp.mandt = '100'
        and vp.erdat < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
    group by vp.mandt, vp.vkont
) a
inner join (
    select
        e.mandt,
        e.vkonto,
        min(e.kofiz) as kofiz,
        min(e.bukrs) as bukrs,
        case when max(e.auszdat) < '99991231' then max(e.einzdat) else min(case when e.auszdat = '99991231' then e.einzdat end) end
            as connected,
        max(e.auszdat) as closed
    from ever e
    where e.mandt = '100'
        and e.sparte = '01'
        and e.loevm = ' '
        and e.einzdat > '00000000'
        and e.einzdat < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
    group by e.mandt, e.vkonto
) c on c.mandt = a.mandt and c.vkonto = a.vkont
