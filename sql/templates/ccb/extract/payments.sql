-- One row is a payment segment (CI_FT, PS: money lowers the balance, so the sign is turned) or its cancellation (PX), for the
-- rows recorded in a span of time. It names a bill where an open-item match event joins it to one bill segment alone; any
-- other money goes to the oldest open bill.
-- Oracle Utilities CC&B / C2M, Oracle's SQL. Mapping, sources, what to adapt: docs/ccb.md.
-- ADAPT the zone of the database's clock ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    case when ft.ft_type_flg = 'PX' then trim(ft.ft_id) else trim(ft.sibling_id) end as payment_id,
    trim(sa.acct_id) as customer_id,
    (
        select case when count(*) = 1 then min(trim(bill.sibling_id)) end
        from ci_ft bill
        where bill.match_evt_id = ft.match_evt_id
            and bill.match_evt_id > ' '
            and bill.ft_type_flg = 'BS'
            and bill.freeze_sw = 'Y'
    ) as bill_id,
    to_char(case when ft.ft_type_flg = 'PX' then ft.freeze_dttm else pe.pay_dt end, 'YYYY-MM-DD') as paid_on,
    case when ft.ft_type_flg = 'PX' then ft.cur_amt else -ft.cur_amt end as amount,
    case when ft.ft_type_flg = 'PX' then trim(ft.sibling_id) end as reverses_payment_id,
    (
        select max(trim(t.tender_type_cd))
        from ci_pay_tndr t
        where t.pay_event_id = p.pay_event_id
    ) as channel,
    to_char(from_tz(cast(ft.freeze_dttm as timestamp), 'Asia/Shanghai') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z'
        as recorded_at
from ci_ft ft
inner join ci_sa sa on sa.sa_id = ft.sa_id
inner join ci_pay p on p.pay_id = ft.parent_id
inner join ci_pay_event pe on pe.pay_event_id = p.pay_event_id
where ft.ft_type_flg in ('PS', 'PX')
    and ft.freeze_sw = 'Y'
    and ft.freeze_dttm >= cast(:recorded_from at time zone 'Asia/Shanghai' as timestamp)
    and ft.freeze_dttm < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
