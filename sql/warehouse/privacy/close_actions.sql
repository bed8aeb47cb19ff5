-- Takes out of the actions of customers what is said of them, withdraws those that were not sent, and lets none be
-- released. Rebates keep the amounts that the ledger's sums are made of. One row: an action.
-- Parameters: customers.

update ops.service_actions as s
set reason = 'erased',
    payload = case
        when s.action_type in ('arrears_rebate', 'rebate_clawback') then s.payload
        else jsonb_build_object()
    end,
    status = case when s.status in ('proposed', 'approved') then 'suppressed' else s.status end,
    suppressed_by = case when s.status in ('proposed', 'approved') then 'withdrawal' else s.suppressed_by end,
    expires_at = case
        when s.status in ('dispatched', 'acknowledged') then s.expires_at
        else least(s.expires_at, now())
    end,
    leased_until = null,
    next_attempt_at = null,
    last_error = null,
    updated_at = now()
where s.customer_id = any(:customers)
