-- A condition on a row l of the ledger: it stands, as somebody has acted on its action or something was taken back of
-- it or added to it.
-- Fragments: untouched (outbox/untouched of a).

(
    l.clawback > 0 or l.late_rebate > 0 or exists (
        select from ops.service_actions as a where a.action_id = l.action_id and not {untouched}
    )
)
