-- A condition: nobody has acted on an action, so it may still be decided anew.
-- Fragments: alias (of ops.service_actions).

(
    {alias}.status in ('proposed', 'blocked')
    or ({alias}.status = 'suppressed' and {alias}.suppressed_by in ('publication', 'withdrawal', 'followed'))
)
