-- One row is an account as CC&B knows it now: CI_ACCT with its service agreements (CI_SA). CC&B keeps no history of them:
-- a past month sees today's customer class and division, and a start or an end once its day has come.
-- Oracle Utilities CC&B / C2M, Oracle's SQL. Mapping, sources, what to adapt: docs/ccb.md.
-- ADAPT the customer classes (CUST_CL_CD), the service agreement types (SA_TYPE_CD) that supply electricity, and the zone
-- of the database's clock ('Asia/Shanghai').
-- :recorded_before  timestamptz, the end of the snapshot's month
select
    trim(a.acct_id) as customer_id,
    case
        when a.cust_cl_cd in ('RES', 'E-RES') then 'residential'
        when a.cust_cl_cd in ('COM', 'E-COM') then 'commercial'
        when a.cust_cl_cd in ('IND', 'E-IND') then 'industrial'
        when a.cust_cl_cd in ('AGR', 'E-AGR') then 'agricultural'
        when a.cust_cl_cd in ('PUB', 'E-PUB') then 'public'
        else trim(a.cust_cl_cd) -- goes into quarantine, named, until it is listed above
    end as segment,
    trim(a.cis_division) as region,
    to_char(s.connected_on, 'YYYY-MM-DD') as connected_on,
    to_char(s.closed_on, 'YYYY-MM-DD') as closed_on,
    case when p.ls_sl_flg in ('LS', 'Y') then 1 else 0 end as is_life_support,
    case when p.emailid > ' ' then 'email' end as preferred_channel,
    case when p.emailid > ' ' then trim(p.emailid) end as contact,
    to_char(from_tz(cast(a.setup_dt as timestamp), 'Asia/Shanghai') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || 'Z'
        as recorded_at
from ci_acct a
inner join (
    -- 10 is pending start and 70 cancelled: neither was ever supplied.
    select
        sa.acct_id,
        case
            when count(case when sa.end_dt is null then 1 end) > 0 then min(case when sa.end_dt is null then sa.start_dt end)
            else max(sa.start_dt)
        end as connected_on,
        case when count(case when sa.end_dt is null then 1 end) = 0 then max(sa.end_dt) end as closed_on
    from ci_sa sa
    where sa.sa_type_cd in ('E-RES', 'E-COM', 'E-IND', 'E-AGR', 'E-PUB')
        and sa.sa_status_flg not in ('10', '70')
        and sa.start_dt < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
    group by sa.acct_id
) s on s.acct_id = a.acct_id
left join ci_acct_per ap on ap.acct_id = a.acct_id and ap.main_cust_sw = 'Y'
left join ci_per p on p.per_id = ap.per_id
where a.setup_dt < cast(:recorded_before at time zone 'Asia/Shanghai' as timestamp)
