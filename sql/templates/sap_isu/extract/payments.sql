-- One row is a payment of a payment lot (DFKKZP) as it was posted, its reversal, or its return by the bank (DFKKRH), for the
-- rows recorded in a span of time. It names a bill where all it cleared (DFKKOP) is of one print document (XBLNR); any other
-- money goes to the oldest open bill. Payments that come by no lot (payment run, cash desk) are not here: docs/sap-isu.md.
-- SAP IS-U with FI-CA. A TEMPLATE THAT NOBODY HAS RUN AGAINST A REAL SYSTEM. Mapping, sources, what to adapt: docs/sap-isu.md.
-- ADAPT the client (MANDT), the selection category that is a contract account (SELT1), and the zone of the system's clock
-- ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    m.payment_id,
    trim(m.vkont) as customer_id,
    m.bill_id,
    substr(m.paid, 1, 4) || '-' || substr(m.paid, 5, 2) || '-' || substr(m.paid, 7, 2) as paid_on,
    m.amount,
    m.reverses_payment_id,
    m.channel,
    to_char(
        from_tz(cast(to_timestamp(m.cpudt || m.cputm, 'YYYYMMDDHH24MISS') as timestamp), 'Asia/Shanghai') at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS'
    ) || 'Z' as recorded_at
from (
    select
        trim(z.opbel) as payment_id,
        coalesce(
            (
                select min(o.vkont)
                from dfkkop o
                where o.mandt = z.mandt and (o.augbl = z.opbel or o.opbel = z.opbel)
            ),
            case when z.selt1 = 'K' then z.selw1 end
        ) as vkont,
        (
            select case when count(distinct o.xblnr) = 1 then min(trim(o.xblnr)) end
            from dfkkop o
            where o.mandt = z.mandt and o.augbl = z.opbel and o.opbel <> z.opbel
        ) as bill_id,
        case when z.valut > '00000000' then z.valut else z.budat end as paid,
        z.betrz as amount,
        null as reverses_payment_id,
        trim(k.herkf) as channel,
        k.cpudt,
        k.cputm
    from dfkkko k
    inner join dfkkzp z on z.mandt = k.mandt and z.opbel = k.opbel
    where k.mandt = '100'
        and k.cpudt >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDD')
        and k.cpudt <= to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
    union all
    select
        trim(k.opbel) as payment_id,
        coalesce(
            (
                select min(o.vkont)
                from dfkkop o
                where o.mandt = z.mandt and o.opbel = z.opbel
            ),
            case when z.selt1 = 'K' then z.selw1 end
        ) as vkont,
        null as bill_id,
        k.budat as paid,
        z.betrz as amount,
        trim(k.stbel) as reverses_payment_id,
        trim(k.herkf) as channel,
        k.cpudt,
        k.cputm
    from dfkkko k
    inner join dfkkzp z on z.mandt = k.mandt and z.opbel = k.stbel
    where k.mandt = '100'
        and k.stbel > ' '
        and k.cpudt >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDD')
        and k.cpudt <= to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
    union all
    select
        trim(h.rlbel) as payment_id,
        h.vkont,
        null as bill_id,
        k.budat as paid,
        h.betrr as amount,
        trim(h.opbel) as reverses_payment_id,
        trim(k.herkf) as channel,
        k.cpudt,
        k.cputm
    from dfkkko k
    inner join dfkkrh h on h.mandt = k.mandt and h.rlbel = k.opbel
    inner join dfkkzp z on z.mandt = h.mandt and z.opbel = h.opbel
    where k.mandt = '100'
        and k.cpudt >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDD')
        and k.cpudt <= to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDD')
) m
where m.cpudt || m.cputm >= to_char(:recorded_from at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
    and m.cpudt || m.cputm < to_char(:recorded_before at time zone 'Asia/Shanghai', 'YYYYMMDDHH24MISS')
