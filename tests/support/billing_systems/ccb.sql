-- The tables of CC&B that the templates read, with the columns they read, filled from the contract's tables and from what the
-- templates have to leave out. Keys are CHAR, padded with blanks, and blank where there is nothing, as CC&B has them.

-- Oracle's function of that name.
create function from_tz(at timestamp, zone text) returns timestamptz language sql immutable as 'select at at time zone zone';

create table ci_acct (acct_id char(10), cust_cl_cd char(8), cis_division char(5), setup_dt date);
create table ci_acct_per (acct_id char(10), per_id char(10), main_cust_sw char(1));
create table ci_per (per_id char(10), ls_sl_flg char(2), emailid varchar(70));
create table ci_sa (
    sa_id char(10), acct_id char(10), sa_type_cd char(8), sa_status_flg char(2), start_dt date, end_dt date
);
create table ci_bill (
    bill_id char(12), acct_id char(10), bill_stat_flg char(2), bill_dt date, due_dt date, complete_dttm timestamp
);
create table ci_bseg (
    bseg_id char(12), bill_id char(12), sa_id char(10), start_dt date, end_dt date, est_sw char(1), bseg_stat_flg char(2)
);
create table ci_bseg_sq (
    bseg_id char(12), uom_cd char(4), tou_cd char(8), sqi_cd char(8), bill_sq numeric(18, 6)
);
create table ci_ft (
    ft_id char(12), sibling_id char(12), parent_id char(12), sa_id char(10), ft_type_flg char(2), cur_amt numeric(15, 2),
    freeze_sw char(1), freeze_dttm timestamp, match_evt_id char(10)
);
create table ci_pay_event (pay_event_id char(12), pay_dt date);
create table ci_pay (pay_id char(12), pay_event_id char(12), acct_id char(10), can_rsn_cd char(4));
create table ci_pay_tndr (pay_tender_id char(12), pay_event_id char(12), tender_type_cd char(4));
create table ci_coll_proc (coll_proc_id char(10), acct_id char(10));
create table ci_coll_evt (coll_proc_id char(10), evt_seq numeric(3), coll_evt_typ_cd char(12), completion_dt date);
create table ci_sev_proc (sev_proc_id char(10), sa_id char(10));
create table ci_sev_evt (sev_proc_id char(10), evt_seq numeric(3), sev_evt_type_cd char(12), completion_dt date);
create table ci_adj (adj_id char(12), adj_type_cd char(8));

insert into ci_acct
select
    customer_id,
    case segment
        when 'residential' then 'E-RES'
        when 'commercial' then 'E-COM'
        when 'industrial' then 'E-IND'
        when 'agricultural' then 'E-AGR'
        else 'E-PUB'
    end,
    region,
    recorded_at at time zone 'Asia/Shanghai'
from customers;

-- A customer who moved out has a service agreement stopped; the one pending and the deposit's are no supply.
insert into ci_sa
select replace(customer_id, 'C', 'S'), customer_id, 'E-RES', case when closed_on is null then '20' else '40' end, connected_on, closed_on
from customers
union all
select replace(customer_id, 'C', 'D'), customer_id, 'DEPOSIT', '20', connected_on - 400, null
from customers
union all
select replace(customer_id, 'C', 'F'), customer_id, 'E-RES', '10', connected_on + 10, null
from customers;

insert into ci_per select replace(customer_id, 'C', 'P'), 'N', ' ' from customers;
insert into ci_per select replace(customer_id, 'C', 'Q'), 'LS', 'landlord@example.com' from customers;
insert into ci_acct_per
select customer_id, replace(customer_id, 'C', 'P'), 'Y' from customers
union all
select customer_id, replace(customer_id, 'C', 'Q'), 'N' from customers;

create table numbered as
select bills.*, lpad(cast(row_number() over (order by recorded_at, bill_id) as text), 10, '0') as number
from bills;
create unique index on numbered (bill_id);

-- A bill that replaces another is a bill of its own; the other is cancelled at the same time.
insert into ci_bill
select 'B' || number, customer_id, 'C', issued_on, due_on, recorded_at at time zone 'Asia/Shanghai'
from numbered
where amount > 0 or cancels_bill_id is null;
insert into ci_bseg
select
    'G' || number, 'B' || number, replace(customer_id, 'C', 'S'), period_start, period_end,
    case when is_estimated then 'Y' else 'N' end, '50'
from numbered
where amount > 0 or cancels_bill_id is null;
insert into ci_ft
select
    'F' || number, 'G' || number, 'B' || number, replace(customer_id, 'C', 'S'), 'BS', amount, 'Y',
    (recorded_at at time zone 'Asia/Shanghai') - interval '1 hour', 'M' || substr(number, 2)
from numbered
where amount > 0 or cancels_bill_id is null;
insert into ci_ft
select
    'X' || c.number, 'G' || b.number, 'B' || b.number, replace(b.customer_id, 'C', 'S'), 'BX', -b.amount, 'Y',
    c.recorded_at at time zone 'Asia/Shanghai', ' '
from numbered as c
inner join numbered as b on b.bill_id = c.cancels_bill_id;

-- Day and night rates; what the quantity is derived from, and what is no active energy, stands beside them.
insert into ci_bseg_sq
select 'G' || number, 'KWH', 'DAY', ' ', kwh - 1 from numbered where kwh is not null
union all
select 'G' || number, 'KWH', 'NIGHT', ' ', 1 from numbered where kwh is not null
union all
select 'G' || number, 'KWH', ' ', 'LOSSADJ', kwh * 1.1 from numbered where kwh is not null
union all
select 'G' || number, 'KW', ' ', ' ', 7 from numbered
union all
select 'G' || number, 'KVRH', ' ', ' ', kvarh from numbered where kvarh is not null;

create table numbered_payments as
select payments.*, lpad(cast(row_number() over (order by recorded_at, payment_id) as text), 10, '0') as number
from payments;
create unique index on numbered_payments (payment_id);

insert into ci_pay_event select 'E' || number, paid_on from numbered_payments where reverses_payment_id is null;
insert into ci_pay
select
    'P' || p.number, 'E' || p.number, p.customer_id, case when r.payment_id is null then ' ' else 'NSF' end
from numbered_payments as p
left join payments as r on r.reverses_payment_id = p.payment_id
where p.reverses_payment_id is null;
insert into ci_pay_tndr select 'T' || number, 'E' || number, upper(substr(channel, 1, 4)) from numbered_payments where reverses_payment_id is null;
insert into ci_ft
select
    'Y' || p.number, 'H' || p.number, 'P' || p.number, replace(p.customer_id, 'C', 'S'), 'PS', -p.amount, 'Y',
    p.recorded_at at time zone 'Asia/Shanghai', coalesce('M' || substr(b.number, 2), ' ')
from numbered_payments as p
left join numbered as b on b.bill_id = p.bill_id
where p.reverses_payment_id is null;
insert into ci_ft
select
    'Z' || r.number, 'H' || p.number, 'P' || p.number, replace(r.customer_id, 'C', 'S'), 'PX', r.amount, 'Y',
    r.recorded_at at time zone 'Asia/Shanghai', ' '
from numbered_payments as r
inner join numbered_payments as p on p.payment_id = r.reverses_payment_id;

create table steps as
select collection_events.*, lpad(cast(row_number() over (order by recorded_at, event_id) as text), 9, '0') as number
from collection_events;
insert into ci_coll_proc select 'L' || number, customer_id from steps where event_type = 'overdue_notice';
insert into ci_coll_evt
select 'L' || number, 10, 'REMINDER', occurred_on from steps where event_type = 'overdue_notice'
union all
select 'L' || number, 20, 'DUNNING', null from steps where event_type = 'overdue_notice'
union all
select 'L' || number, 30, 'CREDITRTG', occurred_on + 1 from steps where event_type = 'overdue_notice';
insert into ci_sev_proc
select 'V' || number, replace(customer_id, 'C', 'S') from steps where event_type in ('disconnection', 'reconnection');
insert into ci_sev_evt
select 'V' || number, 10, 'NOTICE', occurred_on - 5 from steps where event_type = 'disconnection'
union all
select 'V' || number, 20, case event_type when 'disconnection' then 'CUT' else 'RECONNECT' end, occurred_on
from steps
where event_type in ('disconnection', 'reconnection');
insert into ci_adj select 'J' || number, 'WRITEOFF' from steps where event_type = 'write_off';
insert into ci_ft
select
    'W' || number, 'J' || number, 'J' || number, replace(customer_id, 'C', 'S'), 'AD', -amount, 'Y',
    recorded_at at time zone 'Asia/Shanghai', ' '
from steps
where event_type = 'write_off';

-- Not frozen, or frozen on a bill that is not complete: neither was ever asked for.
insert into ci_ft
select 'U' || number, sibling_id, parent_id, sa_id, ft_type_flg, cur_amt, 'N', freeze_dttm, match_evt_id
from (select ci_ft.*, lpad(cast(row_number() over (order by ft_id) as text), 10, '0') as number from ci_ft) as twice;
insert into ci_bill select 'N' || number, customer_id, 'P', null, null, null from numbered where amount > 100;
insert into ci_bseg
select 'O' || number, 'N' || number, replace(customer_id, 'C', 'S'), billing_month, billing_month + interval '1 month', 'N', '50'
from numbered
where amount > 100;
insert into ci_ft
select
    'R' || number, 'O' || number, 'N' || number, replace(customer_id, 'C', 'S'), 'BS', amount, 'Y',
    recorded_at at time zone 'Asia/Shanghai', ' '
from numbered
where amount > 100;

create index on ci_ft (sibling_id);
create index on ci_ft (match_evt_id);
create index on ci_bseg (bill_id);
create index on ci_bseg_sq (bseg_id);
create index on ci_pay (pay_id);
create index on ci_pay_tndr (pay_event_id);
create index on ci_sa (acct_id);
analyze;
drop table bills, payments, customers, collection_events, numbered, numbered_payments, steps;
