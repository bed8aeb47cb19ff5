-- One row is what an account owed (below zero: its credit) at the end of the span of time: the sum of the current amounts of
-- all its frozen financial transactions, adjustments included, those of a bill that was not complete by then left out. It
-- reads all of CI_FT: seldom needed beyond the first month.
-- Oracle Utilities CC&B / C2M, Oracle's SQL. Mapping, sources, what to adapt: docs/ccb.md.
-- ADAPT the zone of the database's clock ('Asia/Shanghai').
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    trim(s.acct_id) as customer_id,
    to_char(cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp) - interval '1' second, 'YYYY-MM-DD') as as_of,
    s.balance,
    to_char((:recorded_before at time zone 'UTC') - interval '1' second, 'YYYY-MM-DD HH24:MI:SS') || 'Z' as recorded_at
from (
    select
        sa.acct_id,
        sum(ft.cur_amt) as balance
    from ci_ft ft
    inner join ci_sa sa on sa.sa_id = ft.sa_id
    where ft.freeze_sw = 'Y'
        and ft.freeze_dttm < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
        and (
            ft.ft_type_flg not in ('BS', 'BX')
            or exists (
                select 1
                from ci_bseg bs
                inner join ci_bill b on b.bill_id = bs.bill_id
                where bs.bseg_id = ft.sibling_id
                    and b.complete_dttm < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
            )
        )
    group by sa.acct_id
) s
where :recorded_from < :recorded_before
