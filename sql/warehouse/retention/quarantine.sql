-- A condition on a row r of ops.quarantine: it is old, and the lake does not hold the record any more, so that it is not
-- left out of anything.
-- Parameters: before (the first day of the months that stay), lately (an instant: what was left out since stays), held
-- (the partitions of the lake, each as its table and month).

greatest(r.rating_month, r.recorded_month) < :before
and r.quarantined_at < :lately
and r.table_name || to_char(r.recorded_month, ' YYYY-MM') <> all(:held)
