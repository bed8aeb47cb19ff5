-- One row is a step of collecting a debt, for the rows recorded in a span of time: completed collection events (CI_COLL_EVT)
-- and severance events (CI_SEV_EVT), payments cancelled for want of funds (CI_PAY), write-off adjustments (CI_ADJ).
-- The events carry a day and no time: they count as recorded at the end of that day.
-- Oracle Utilities CC&B / C2M, Oracle's SQL. Mapping, sources, what to adapt: docs/ccb.md.
-- ADAPT the zone of the database's clock ('Asia/Shanghai') and every list of codes: they are each utility's own.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    e.event_id,
    trim(e.acct_id) as customer_id,
    e.event_type,
    to_char(e.occurred_at, 'YYYY-MM-DD') as occurred_on,
    e.amount,
    to_char(from_tz(e.occurred_at, 'Asia/Shanghai') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z' as recorded_at
from (
    select
        'C' || trim(ce.coll_proc_id) || '-' || cast(ce.evt_seq as varchar(10)) as event_id,
        cp.acct_id,
        'overdue_notice' as event_type,
        cast(ce.completion_dt as timestamp) + interval '23:59' hour to minute as occurred_at,
        cast(null as numeric(18, 2)) as amount
    from ci_coll_evt ce
    inner join ci_coll_proc cp on cp.coll_proc_id = ce.coll_proc_id
    where ce.completion_dt is not null
        and ce.coll_evt_typ_cd in ('REMINDER', 'DUNNING')
    union all
    select
        'S' || trim(se.sev_proc_id) || '-' || cast(se.evt_seq as varchar(10)) as event_id,
        sa.acct_id,
        case when se.sev_evt_type_cd in ('RECONNECT') then 'reconnection' else 'disconnection' end as event_type,
        cast(se.completion_dt as timestamp) + interval '23:59' hour to minute as occurred_at,
        cast(null as numeric(18, 2)) as amount
    from ci_sev_evt se
    inner join ci_sev_proc sp on sp.sev_proc_id = se.sev_proc_id
    inner join ci_sa sa on sa.sa_id = sp.sa_id
    where se.completion_dt is not null
        and se.sev_evt_type_cd in ('CUT', 'RECONNECT')
    union all
    select
        'R' || trim(ft.ft_id) as event_id,
        sa.acct_id,
        'returned_payment' as event_type,
        cast(ft.freeze_dttm as timestamp) as occurred_at,
        ft.cur_amt as amount
    from ci_ft ft
    inner join ci_pay p on p.pay_id = ft.parent_id
    inner join ci_sa sa on sa.sa_id = ft.sa_id
    where ft.ft_type_flg = 'PX'
        and ft.freeze_sw = 'Y'
        and p.can_rsn_cd in ('NSF', 'RETD')
    union all
    select
        'W' || trim(ft.ft_id) as event_id,
        sa.acct_id,
        'write_off' as event_type,
        cast(ft.freeze_dttm as timestamp) as occurred_at,
        -ft.cur_amt as amount
    from ci_ft ft
    inner join ci_adj adj on adj.adj_id = ft.sibling_id
    inner join ci_sa sa on sa.sa_id = ft.sa_id
    where ft.ft_type_flg = 'AD'
        and ft.freeze_sw = 'Y'
        and adj.adj_type_cd in ('WRITEOFF')
) e
where e.occurred_at >= cast(:recorded_from at time zone 'Asia/Shanghai' as timestamp)
    and e.occurred_at < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
