-- The money of a month by segment and region: one row per pair; both are empty where they are not known.
--   billed, collected   amounts of bills issued, and of payments made less those taken back, in the month. A bill that is
--                       cancelled is taken off in the month of the first bill that cancels it, and once
--   billed_booked_later, collected_booked_later
--                       the same of earlier months, where the month came to know of it only now. With these every bill and
--                       every payment belongs to just one month
--   receivable, overdue what bills lack at the cut-off, and of that what was due before it
-- Reads customers, bills, payments, bill_status. Parameters: as_of, months_ago_1, settlement_tolerance, timezone,
-- booked_from (the instant the month began; null as known now: there nothing is booked later).
--
-- Only what was issued or paid, or was recorded, from the month's beginning on can be booked in it; and of what is older,
-- bills that it cancels. The two stand apart, since each alone lets the files of other months be passed over.
with new_bills as (
    select
        bill_id,
        customer_id,
        amount,
        cancels_bill_id,
        issued_on,
        recorded_at
    from bills
    where issued_on >= :months_ago_1
    union all
    select
        bill_id,
        customer_id,
        amount,
        cancels_bill_id,
        issued_on,
        recorded_at
    from bills
    where issued_on < :months_ago_1
        and recorded_at >= :booked_from
),

new_payments as (
    select
        customer_id,
        amount,
        reverses_payment_id,
        paid_on,
        recorded_at
    from payments
    where paid_on >= :months_ago_1
    union all
    select
        customer_id,
        amount,
        reverses_payment_id,
        paid_on,
        recorded_at
    from payments
    where paid_on < :months_ago_1
        and recorded_at >= :booked_from
),

concerned as (
    select bill_id
    from new_bills
    union all
    select cancels_bill_id as bill_id
    from new_bills
    where cancels_bill_id is not null
),

first_cancelled as (
    select
        bill_id,
        issued_on,
        recorded_at
    from (
        select
            cancels_bill_id as bill_id,
            issued_on,
            recorded_at,
            row_number() over (
                partition by cancels_bill_id
                order by
                    case
                        when :booked_from is null then issued_on
                        else greatest(issued_on, cast(recorded_at at time zone :timezone as date))
                    end,
                    bill_id
            ) as place
        from bills
        where cancels_bill_id is not null
            and cancels_bill_id in (select bill_id from concerned)
    ) as cancelling
    where place = 1
),

booked as (
    select
        customer_id,
        amount as billed,
        0 as collected,
        issued_on as booked_on,
        recorded_at
    from new_bills
    where amount > 0
        or cancels_bill_id is null
    union all
    select
        b.customer_id,
        -b.amount as billed,
        0 as collected,
        greatest(b.issued_on, c.issued_on) as booked_on,
        greatest(b.recorded_at, c.recorded_at) as recorded_at
    from first_cancelled as c
    inner join bills as b on b.bill_id = c.bill_id
    where b.amount > 0
        or b.cancels_bill_id is null
    union all
    select
        customer_id,
        0 as billed,
        case when reverses_payment_id is null then amount else -amount end as collected,
        paid_on as booked_on,
        recorded_at
    from new_payments
),

movements as (
    select
        customer_id,
        case when booked_on >= :months_ago_1 then billed else 0 end as billed,
        case when booked_on >= :months_ago_1 then 0 else billed end as billed_booked_later,
        case when booked_on >= :months_ago_1 then collected else 0 end as collected,
        case when booked_on >= :months_ago_1 then 0 else collected end as collected_booked_later,
        0 as receivable,
        0 as overdue
    from booked
    where booked_on < :as_of
        and (booked_on >= :months_ago_1 or recorded_at >= :booked_from)
    union all
    select
        customer_id,
        0 as billed,
        0 as billed_booked_later,
        0 as collected,
        0 as collected_booked_later,
        unpaid as receivable,
        case when due_on < :as_of then unpaid else 0 end as overdue
    from bill_status
    where unpaid > 0
)

select
    coalesce(c.segment, '') as segment,
    coalesce(c.region, '') as region,
    cast(sum(m.billed) as decimal(18, 2)) as billed,
    cast(sum(m.billed_booked_later) as decimal(18, 2)) as billed_booked_later,
    cast(sum(m.collected) as decimal(18, 2)) as collected,
    cast(sum(m.collected_booked_later) as decimal(18, 2)) as collected_booked_later,
    cast(sum(m.receivable) as decimal(18, 2)) as receivable,
    cast(sum(m.overdue) as decimal(18, 2)) as overdue
from movements as m
left join customers as c on c.customer_id = m.customer_id
group by
    coalesce(c.segment, ''),
    coalesce(c.region, '')
