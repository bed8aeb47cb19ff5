-- The tables of IS-U and FI-CA that the templates read, with the columns they read, filled from the contract's tables and from
-- what the templates have to leave out. Dates are text, YYYYMMDD, and '00000000' or '99991231' where there is none.

-- Oracle's function of that name.
create function from_tz(at timestamp, zone text) returns timestamptz language sql immutable as 'select at at time zone zone';

create function dats(instant timestamptz) returns text language sql immutable
as $$ select to_char(instant at time zone 'Asia/Shanghai', 'YYYYMMDD') $$;
create function tims(instant timestamptz) returns text language sql immutable
as $$ select to_char(instant at time zone 'Asia/Shanghai', 'HH24MISS') $$;

create table fkkvkp (mandt char(3), vkont char(12), gpart char(10), erdat char(8));
create table ever (
    mandt char(3), vertrag char(10), vkonto char(12), bukrs char(4), sparte char(2), kofiz char(2), einzdat char(8),
    auszdat char(8), loevm char(1)
);
create table erdk (
    mandt char(3), opbel char(12), vkont char(12), partner char(10), bldat char(8), faedn char(8),
    total_amnt numeric(13, 2), stokz char(1), intopbel char(12), tobreleasd char(1), simulated char(1), invoiced char(1)
);
create table erch (mandt char(3), belnr char(12), vertrag char(10), begabrpe char(8), endabrpe char(8));
create table erchc (
    mandt char(3), belnr char(12), lfdnr char(3), opbel char(12), cpudt char(8), intopbel char(12), intcpudt char(8),
    simulated char(1)
);
create table dberchv (
    mandt char(3), belnr char(12), lfdnr char(3), massbill char(3), istablart char(2), ez_abrmenge double precision
);
create table dfkkko (
    mandt char(3), opbel char(12), herkf char(2), budat char(8), cpudt char(8), cputm char(6), stbel char(12),
    storb char(12)
);
create table dfkkzp (
    mandt char(3), keyz1 char(12), posza char(6), selt1 char(1), selw1 varchar(35), betrz numeric(13, 2), valut char(8),
    budat char(8), opbel char(12)
);
create table dfkkrh (
    mandt char(3), gpart char(10), vkont char(12), rlbel char(12), opbel char(12), betrr numeric(13, 2)
);
create table dfkkop (
    mandt char(3), opbel char(12), vkont char(12), xblnr char(16), stakz char(1), budat char(8), betrw numeric(13, 2),
    augst char(1), augbl char(12), augdt char(8)
);
create table fkkmako (
    mandt char(3), laufd char(8), laufi char(6), gpart char(10), vkont char(12), mazae char(6), ausdt char(8), mahns char(2)
);
create table dfkkwoh (
    mandt char(3), abbel char(12), opbel char(12), vkont char(12), betrw numeric(13, 2), abdat char(8), xrvsd char(1)
);

insert into fkkvkp select '100', customer_id, replace(customer_id, 'C', 'P'), dats(recorded_at) from customers;
insert into fkkvkp select '200', customer_id, 'P', '20200101' from customers;

-- Beside the electricity contract: one for gas, one that was deleted.
insert into ever
select
    '100', replace(customer_id, 'C', 'V'), customer_id, region, '01',
    case segment
        when 'residential' then '01'
        when 'commercial' then '02'
        when 'industrial' then '03'
        when 'agricultural' then '04'
        else '05'
    end,
    to_char(connected_on, 'YYYYMMDD'), coalesce(to_char(closed_on, 'YYYYMMDD'), '99991231'), ' '
from customers
union all
select '100', replace(customer_id, 'C', 'G'), customer_id, 'X', '02', '99', '20100101', '99991231', ' '
from customers
union all
select '100', replace(customer_id, 'C', 'D'), customer_id, 'X', '01', '99', '20100101', '99991231', 'X'
from customers;

create table numbered as
select
    bills.*,
    amount > 0 or cancels_bill_id is null as is_bill,
    lpad(cast(row_number() over (order by recorded_at, bill_id) as text), 10, '0') as number
from bills;
create unique index on numbered (bill_id);
create index on numbered (cancels_bill_id);

create table reversals as
select b.number, c.number as by_number, c.recorded_at
from numbered as b
inner join numbered as c on c.cancels_bill_id = b.bill_id;
create unique index on reversals (number);

insert into erdk
select
    '100', 'D' || b.number, b.customer_id, replace(b.customer_id, 'C', 'P'), to_char(b.issued_on, 'YYYYMMDD'),
    to_char(b.due_on, 'YYYYMMDD'), b.amount, case when r.number is null then ' ' else 'X' end,
    coalesce('I' || r.by_number, ' '), ' ', ' ', 'X'
from numbered as b
left join reversals as r on r.number = b.number
where b.is_bill;
insert into erch
select
    '100', 'A' || number, replace(customer_id, 'C', 'V'), to_char(period_start, 'YYYYMMDD'),
    to_char(period_end - interval '1 day', 'YYYYMMDD')
from numbered
where is_bill;
insert into erchc
select
    '100', 'A' || b.number, '001', 'D' || b.number, dats(b.recorded_at), coalesce('I' || r.by_number, ' '),
    coalesce(dats(r.recorded_at), '00000000'), ' '
from numbered as b
left join reversals as r on r.number = b.number
where b.is_bill;
insert into dberchv
select '100', 'A' || number, '001', 'KWH', case when is_estimated then '03' else '01' end, kwh - 1
from numbered
where is_bill and kwh is not null
union all
select '100', 'A' || number, '002', 'KWH', '01', 1 from numbered where is_bill and kwh is not null
union all
select '100', 'A' || number, '003', 'KW', '01', 7 from numbered where is_bill
union all
select '100', 'A' || number, '004', 'KVR', '01', kvarh from numbered where is_bill and kvarh is not null;

create table numbered_payments as
select payments.*, lpad(cast(row_number() over (order by recorded_at, payment_id) as text), 10, '0') as number
from payments;
create unique index on numbered_payments (payment_id);

create table returned as
select p.number, r.number as by_number
from numbered_payments as p
inner join numbered_payments as r on r.reverses_payment_id = p.payment_id;
create unique index on returned (number);

insert into dfkkko
select
    '100', 'Z' || number, case when reverses_payment_id is null then '05' else '06' end, to_char(paid_on, 'YYYYMMDD'),
    dats(recorded_at), tims(recorded_at), ' ', ' '
from numbered_payments;
insert into dfkkzp
select
    '100', 'LOT', substr(number, 5), 'K', customer_id, amount, to_char(paid_on, 'YYYYMMDD'),
    to_char(paid_on, 'YYYYMMDD'), 'Z' || number
from numbered_payments
where reverses_payment_id is null;
insert into dfkkrh
select '100', ' ', r.customer_id, 'Z' || r.number, 'Z' || p.number, r.amount
from numbered_payments as r
inner join numbered_payments as p on p.payment_id = r.reverses_payment_id;

-- A payment posted twice and its second posting reversed by a document at once: it comes to nothing.
insert into dfkkko
select '100', 'Y' || number, '05', to_char(paid_on, 'YYYYMMDD'), dats(recorded_at), tims(recorded_at), ' ', 'S' || number
from numbered_payments
where reverses_payment_id is null and amount > 100
union all
select '100', 'S' || number, '02', to_char(paid_on, 'YYYYMMDD'), dats(recorded_at), tims(recorded_at), 'Y' || number, ' '
from numbered_payments
where reverses_payment_id is null and amount > 100;
insert into dfkkzp
select
    '100', 'LOT2', substr(number, 5), 'K', customer_id, amount, to_char(paid_on, 'YYYYMMDD'),
    to_char(paid_on, 'YYYYMMDD'), 'Y' || number
from numbered_payments
where reverses_payment_id is null and amount > 100;

-- Items: what a payment cleared of a bill, what of the bill is open, what of the payment is left on the account.
create table cleared as
select
    p.number,
    p.customer_id,
    p.paid_on,
    p.amount,
    b.number as bill_number,
    b.issued_on,
    least(
        p.amount,
        greatest(0, b.amount - coalesce(sum(p.amount) over (
            partition by b.number order by p.paid_on, p.payment_id rows between unbounded preceding and 1 preceding
        ), 0))
    ) as part
from numbered_payments as p
left join returned as t on t.number = p.number
left join numbered as b on b.bill_id = p.bill_id and b.number not in (select number from reversals)
where p.reverses_payment_id is null and t.number is null;

insert into dfkkop
select
    '100', 'O' || bill_number, customer_id, 'D' || bill_number, ' ', to_char(issued_on, 'YYYYMMDD'), part, '9',
    'Z' || number, to_char(paid_on, 'YYYYMMDD')
from cleared
where part > 0
union all
select
    '100', 'Z' || number, customer_id, ' ', ' ', to_char(paid_on, 'YYYYMMDD'), coalesce(part, 0) - amount, ' ', ' ',
    '00000000'
from cleared
where bill_number is null or part < amount;
insert into dfkkop
select
    '100', 'O' || b.number, b.customer_id, 'D' || b.number, ' ', to_char(b.issued_on, 'YYYYMMDD'),
    b.amount - coalesce(c.part, 0), ' ', ' ', '00000000'
from numbered as b
left join (select bill_number, sum(part) as part from cleared group by bill_number) as c on c.bill_number = b.number
where b.is_bill
    and b.number not in (select number from reversals)
    and b.amount > coalesce(c.part, 0);
insert into dfkkop
select
    '100', 'O' || b.number, b.customer_id, 'D' || b.number, ' ', to_char(b.issued_on, 'YYYYMMDD'), b.amount, '9',
    'I' || r.by_number, dats(r.recorded_at)
from numbered as b
inner join reversals as r on r.number = b.number;
-- A budget billing plan's item is statistical: no debt.
insert into dfkkop
select '100', 'B' || replace(customer_id, 'C', ''), customer_id, ' ', 'P', '20250101', 50, ' ', ' ', '00000000'
from customers;

create table steps as
select collection_events.*, lpad(cast(row_number() over (order by recorded_at, event_id) as text), 10, '0') as number
from collection_events;
insert into fkkmako
select
    '100', to_char(occurred_on, 'YYYYMMDD'), 'M' || substr(number, 6), replace(customer_id, 'C', 'P'), customer_id, '000001',
    to_char(occurred_on, 'YYYYMMDD'), '01'
from steps
where event_type = 'overdue_notice'
union all
select '100', to_char(occurred_on, 'YYYYMMDD'), 'T', ' ', customer_id, '000001', '00000000', '01'
from steps
where event_type = 'overdue_notice';
insert into dfkkwoh
select '100', 'W' || number, 'O', customer_id, amount - 1, to_char(occurred_on, 'YYYYMMDD'), ' '
from steps
where event_type = 'write_off'
union all
select '100', 'W' || number, 'Q', customer_id, 1, to_char(occurred_on, 'YYYYMMDD'), ' '
from steps
where event_type = 'write_off'
union all
select '100', 'X' || number, 'O', customer_id, 100, to_char(occurred_on, 'YYYYMMDD'), 'X'
from steps;

-- Neither a simulation nor a document that is not released was ever asked for; nor is another client's.
insert into erdk
select '100', 'N' || number, customer_id, ' ', '20260101', '20260115', 900, ' ', ' ', 'X', ' ', ' ' from numbered where amount > 100
union all
select '100', 'S' || number, customer_id, ' ', '20260101', '20260115', 900, ' ', ' ', ' ', 'X', ' ' from numbered where amount > 100
union all
select '200', 'D' || number, customer_id, ' ', '20260101', '20260115', 900, ' ', ' ', ' ', ' ', 'X' from numbered where amount > 100;
insert into erchc
select '100', 'A' || number, '002', 'N' || number, dats(recorded_at), ' ', '00000000', ' ' from numbered where amount > 100
union all
select '100', 'A' || number, '003', 'S' || number, dats(recorded_at), ' ', '00000000', 'X' from numbered where amount > 100
union all
select '200', 'A' || number, '001', 'D' || number, dats(recorded_at), ' ', '00000000', ' ' from numbered where amount > 100;

create index on erchc (mandt, opbel);
create index on erdk (mandt, opbel);
create index on erch (mandt, belnr);
create index on dberchv (mandt, belnr);
create index on dfkkop (mandt, augbl);
create index on dfkkop (mandt, opbel);
create index on dfkkzp (mandt, opbel);
create index on dfkkko (mandt, opbel);
analyze;
drop table
    bills, payments, customers, collection_events, numbered, numbered_payments, steps, reversals, returned, cleared;
