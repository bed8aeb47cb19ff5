-- One row is a bill segment as it was frozen (CI_FT, BS), or its cancellation (BX), for the rows recorded in a span of time.
-- The bill segment is the bill: CC&B cancels and rebills a segment, not a bill. A rebill is a segment of its own.
-- Oracle Utilities CC&B / C2M, Oracle's SQL. Mapping, sources, what to adapt: docs/ccb.md.
-- ADAPT the zone of the database's clock ('Asia/Shanghai') and the units of measure (UOM_CD).
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    trim(ft.sibling_id) as bill_id,
    trim(sa.acct_id) as customer_id,
    to_char(bs.end_dt - 1, 'YYYY-MM') || '-01' as billing_month,
    to_char(bs.start_dt, 'YYYY-MM-DD') as period_start,
    to_char(bs.end_dt, 'YYYY-MM-DD') as period_end,
    to_char(b.bill_dt, 'YYYY-MM-DD') as issued_on,
    to_char(b.due_dt, 'YYYY-MM-DD') as due_on,
    ft.cur_amt as amount,
    (
        select sum(sq.bill_sq)
        from ci_bseg_sq sq
        where sq.bseg_id = bs.bseg_id and sq.uom_cd = 'KWH' and sq.sqi_cd = ' '
    ) as kwh,
    (
        select sum(sq.bill_sq)
        from ci_bseg_sq sq
        where sq.bseg_id = bs.bseg_id and sq.uom_cd = 'KVRH' and sq.sqi_cd = ' '
    ) as kvarh,
    case when bs.est_sw = 'Y' then 1 else 0 end as is_estimated,
    null as cancels_bill_id,
    to_char(from_tz(cast(b.complete_dttm as timestamp), 'Asia/Shanghai') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z'
        as recorded_at
from ci_bill b
inner join ci_bseg bs on bs.bill_id = b.bill_id
inner join ci_ft ft on ft.sibling_id = bs.bseg_id and ft.ft_type_flg = 'BS' and ft.freeze_sw = 'Y'
inner join ci_sa sa on sa.sa_id = ft.sa_id
where b.bill_stat_flg = 'C'
    and b.complete_dttm >= cast(:recorded_from at time zone 'Asia/Shanghai' as timestamp)
    and b.complete_dttm < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
union all
select
    trim(ft.ft_id) as bill_id,
    trim(sa.acct_id) as customer_id,
    to_char(bs.end_dt - 1, 'YYYY-MM') || '-01' as billing_month,
    to_char(bs.start_dt, 'YYYY-MM-DD') as period_start,
    to_char(bs.end_dt, 'YYYY-MM-DD') as period_end,
    to_char(ft.freeze_dttm, 'YYYY-MM-DD') as issued_on,
    to_char(ft.freeze_dttm, 'YYYY-MM-DD') as due_on,
    ft.cur_amt as amount,
    null as kwh,
    null as kvarh,
    0 as is_estimated,
    trim(ft.sibling_id) as cancels_bill_id,
    to_char(from_tz(cast(ft.freeze_dttm as timestamp), 'Asia/Shanghai') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z'
        as recorded_at
from ci_ft ft
inner join ci_bseg bs on bs.bseg_id = ft.sibling_id
inner join ci_bill b on b.bill_id = bs.bill_id and b.complete_dttm is not null
inner join ci_sa sa on sa.sa_id = ft.sa_id
where ft.ft_type_flg = 'BX'
    and ft.freeze_sw = 'Y'
    and ft.freeze_dttm >= cast(:recorded_from at time zone 'Asia/Shanghai' as timestamp)
    and ft.freeze_dttm < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
