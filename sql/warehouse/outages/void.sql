-- What need not be said: the outage is called off before anybody was told, or what was to be amended is so again.
-- One row: an action.

select last_action_id from changes where (is_untold and starts_at is null) or (is_moot and not is_untold)
