-- Who keeps tables locked. One row: another session that holds a lock on one of them.
-- Parameters: tables (with their schemas).

select distinct a.pid, a.usename, a.application_name
from pg_locks as l
inner join pg_stat_activity as a on a.pid = l.pid
where l.granted
    and l.pid <> pg_backend_pid()
    and a.datname = current_database()
    and l.relation in (select unnest(cast(:tables as regclass[])))
order by a.pid
