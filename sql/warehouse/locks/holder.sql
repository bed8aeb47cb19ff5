-- Who holds an advisory lock of this database. One row: a session, or none.
-- Parameters: kind, key.

select a.application_name, a.pid, a.backend_start
from pg_locks as l
inner join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'advisory'
    and l.classid = :kind
    and l.objid = :key
    and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
    and l.pid <> pg_backend_pid()
limit 1
