-- A condition on a row r of ops.validation_results: the partition is old, and was not checked in the months that stay.
-- Parameters: before (the first day of the months that stay), lately (an instant: what was checked since stays).

greatest(r.rating_month, r.recorded_month) < :before
and r.checked_at < :lately
