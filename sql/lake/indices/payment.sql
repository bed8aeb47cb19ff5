-- Payment behaviour, P1 to P6: one row per rated customer.
-- Reads population, bill_status, arrears_register, collection_events.
-- A bill of several months counts as so many where bills are counted to see whether they are enough.
-- Parameters: as_of, settlement_tolerance, since_*, min_bills_due,
-- delinquency_half_life_months, delinquency_severity_*.
with bill_facts as (
    select
        customer_id,
        sum(
            case when not is_opening_balance and due_on >= :since_on_time_payment_rate and due_on < :as_of then 1 end
        ) as bills_due,
        sum(
            case when not is_opening_balance and due_on >= :since_on_time_payment_rate and due_on < :as_of then months end
        ) as months_due,
        count(
            case
                when not is_opening_balance
                    and due_on >= :since_on_time_payment_rate
                    and due_on < :as_of
                    and settled_on <= due_on
                    then 1
            end
        ) as bills_on_time,
        sum(
            case
                when not is_opening_balance and due_on >= :since_amount_weighted_days_late and due_on < :as_of
                    then amount * greatest(0, date_diff('day', due_on, coalesce(settled_on, :as_of)))
            end
        ) as amount_days_late,
        sum(
            case
                when not is_opening_balance and due_on >= :since_amount_weighted_days_late and due_on < :as_of then amount
            end
        ) as amount_due,
        max(
            case
                when due_on < :as_of and coalesce(settled_on, written_off_on, :as_of) >= :since_max_days_past_due
                    then greatest(0, date_diff('day', due_on, coalesce(settled_on, written_off_on, :as_of)))
            end
        ) as days_past_due,
        sum(case when due_on < :as_of then unpaid end) as overdue,
        sum(case when billing_month >= :since_arrears_ratio and billing_month < :as_of then amount end) as billed,
        -- A bit for each month that a bill covers: they count months much faster than count(distinct ...).
        bit_count(
            bit_or(
                case
                    when billing_month >= :since_arrears_ratio and billing_month < :as_of
                        then ((cast(1 as bigint) << months) - 1) << date_diff('month', billing_month, :as_of)
                end
            )
        ) as months_billed,
        sum(
            case
                when not is_opening_balance and due_on >= :since_arrears_recovery_rate then became_overdue
            end
        ) as became_overdue,
        sum(
            case
                when not is_opening_balance and due_on >= :since_arrears_recovery_rate and became_overdue > 0
                    then became_overdue - unpaid - case when written_off_on is null then 0 else written_off end
            end
        ) as recovered
    from bill_status
    group by customer_id
),

register as (
    select
        customer_id,
        max(days_past_due) as days_past_due
    from arrears_register
    where as_of >= :since_max_days_past_due
        and not is_proved_by_bills
    group by customer_id
),

-- Each event's weight is rounded before it is summed, so that the sum does not depend on the order of the rows.
delinquency as (
    select
        customer_id,
        sum(
            cast(
                case event_type
                    when 'overdue_notice' then :delinquency_severity_overdue_notice
                    when 'returned_payment' then :delinquency_severity_returned_payment
                    when 'plan_broken' then :delinquency_severity_plan_broken
                    when 'disconnection' then :delinquency_severity_disconnection
                    when 'write_off' then :delinquency_severity_write_off
                    else 0
                end
                * power(2, -date_diff('day', occurred_on, :as_of) / 30.4375e0 / :delinquency_half_life_months)
                as decimal(18, 9)
            )
        ) as weight
    from collection_events
    where occurred_on >= :since_decayed_delinquency and occurred_on < :as_of
    group by customer_id
)

select
    p.customer_id,
    case
        when greatest(b.bills_due, b.months_due) >= :min_bills_due then cast(b.bills_on_time as double) / b.bills_due
    end as on_time_payment_rate,
    cast(b.amount_days_late as double) / cast(b.amount_due as double) as amount_weighted_days_late,
    cast(
        case
            when b.customer_id is not null or r.customer_id is not null
                then greatest(coalesce(b.days_past_due, 0), coalesce(r.days_past_due, 0))
        end
        as double
    ) as max_days_past_due,
    case
        when b.billed > 0
            then cast(coalesce(b.overdue, 0) as double) * b.months_billed / cast(b.billed as double)
    end as arrears_ratio,
    case
        when b.became_overdue > 0 then cast(b.recovered as double) / cast(b.became_overdue as double)
    end as arrears_recovery_rate,
    cast(coalesce(d.weight, 0) as double) as decayed_delinquency
from population as p
left join bill_facts as b on b.customer_id = p.customer_id
left join register as r on r.customer_id = p.customer_id
left join delinquency as d on d.customer_id = p.customer_id
