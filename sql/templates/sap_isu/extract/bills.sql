-- One row is a print document (ERDK) as it was invoiced, or its reversal, for the rows recorded in a span of time. What was
-- invoiced and reversed when is in ERCHC, which has days and no times: they count as recorded at the end of the day.
-- SAP IS-U with FI-CA. A TEMPLATE THAT NOBODY HAS RUN AGAINST A REAL SYSTEM. Mapping, sources, what to adapt: docs/sap-isu.md.
-- ADAPT the client (MANDT), the units (MASSBILL), the meter reading types that are estimates (ISTABLART), and the zone of the
-- system's clock ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    trim(d.opbel) as bill_id,
    trim(d.vkont) as customer_id,
    substr(i.period_end, 1, 4) || '-' || substr(i.period_end, 5, 2) || '-01' as billing_month,
    substr(i.period_start, 1, 4) || '-' || substr(i.period_start, 5, 2) || '-' || substr(i.period_start, 7, 2) as period_start,
    to_char(to_date(i.period_end, 'YYYYMMDD') + 1, 'YYYY-MM-DD') as period_end,
    substr(d.bldat, 1, 4) || '-' || substr(d.bldat, 5, 2) || '-' || substr(d.bldat, 7, 2) as issued_on,
    substr(d.faedn, 1, 4) || '-' || substr(d.faedn, 5, 2) || '-' || substr(d.faedn, 7, 2) as due_on,
    d.total_amnt as amount,
    (
        select cast(sum(v.ez_abrmenge) as decimal(18, 3))
        from dberchv v
        inner join erchc h on h.mandt = v.mandt and h.belnr = v.belnr
        where h.mandt = d.mandt and h.opbel = d.opbel and v.massbill = 'KWH'
    ) as kwh,
    (
        select cast(sum(v.ez_abrmenge) as decimal(18, 3))
        from dberchv v
        inner join erchc h on h.mandt = v.mandt and h.belnr = v.belnr
        where h.mandt = d.mandt and h.opbel = d.opbel and v.massbill = 'KVR'
    ) as kvarh,
    case
        when exists (
            select 1
            from dberchv v
            inner join erchc h on h.mandt = v.mandt and h.belnr = v.belnr
            where h.mandt = d.mandt and h.opbel = d.opbel and v.istablart in ('03')
        ) then 1
        else 0
    end as is_estimated,
    null as cancels_bill_id,
    to_char(
        from_tz(cast(to_timestamp(i.invoiced || '235900', 'YYYYMMDDHH24MISS') as timestamp), 'Asia/Shanghai')
        at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS'
    ) || 'Z' as recorded_at
from (
    select
        c.mandt,
        c.opbel,
        min(c.cpudt) as invoiced,
        min(b.begabrpe) as period_start,
        max(b.endabrpe) as period_end
    from erchc c
    inner join erch b on b.mandt = c.mandt and b.belnr = c.belnr
    where c.mandt = '100'
        and c.opbel > ' '
        and c.simulated = ' '
        and c.cpudt || '235900' >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
        and c.cpudt || '235900' < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
    group by c.mandt, c.opbel
) i
inner join erdk d on d.mandt = i.mandt and d.opbel = i.opbel
where d.invoiced = 'X'
    and d.simulated = ' '
    and d.tobreleasd = ' '
union all
select
    trim(r.intopbel) as bill_id,
    trim(d.vkont) as customer_id,
    substr(r.period_end, 1, 4) || '-' || substr(r.period_end, 5, 2) || '-01' as billing_month,
    substr(r.period_start, 1, 4) || '-' || substr(r.period_start, 5, 2) || '-' || substr(r.period_start, 7, 2) as period_start,
    to_char(to_date(r.period_end, 'YYYYMMDD') + 1, 'YYYY-MM-DD') as period_end,
    substr(r.reversed, 1, 4) || '-' || substr(r.reversed, 5, 2) || '-' || substr(r.reversed, 7, 2) as issued_on,
    substr(r.reversed, 1, 4) || '-' || substr(r.reversed, 5, 2) || '-' || substr(r.reversed, 7, 2) as due_on,
    0 as amount,
    null as kwh,
    null as kvarh,
    0 as is_estimated,
    trim(r.opbel) as cancels_bill_id,
    to_char(
        from_tz(cast(to_timestamp(r.reversed || '235900', 'YYYYMMDDHH24MISS') as timestamp), 'Asia/Shanghai')
        at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS'
    ) || 'Z' as recorded_at
from (
    select
        c.mandt,
        c.opbel,
        c.intopbel,
        min(c.intcpudt) as reversed,
        min(b.begabrpe) as period_start,
        max(b.endabrpe) as period_end
    from erchc c
    inner join erch b on b.mandt = c.mandt and b.belnr = c.belnr
    where c.mandt = '100'
        and c.intopbel > ' '
        and c.simulated = ' '
        and c.intcpudt || '235900' >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
        and c.intcpudt || '235900' < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
    group by c.mandt, c.opbel, c.intopbel
) r
inner join erdk d on d.mandt = r.mandt and d.opbel = r.opbel
where d.invoiced = 'X'
    and d.tobreleasd = ' '
