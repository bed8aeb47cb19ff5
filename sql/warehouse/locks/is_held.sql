-- Whether a session holds an advisory lock of this database. One row: true or false.
-- Parameters: holder (the process of the session), kind, key.

select exists (
    select
    from pg_locks as l
    where l.locktype = 'advisory'
        and l.pid = :holder
        and l.classid = :kind
        and l.objid = :key
        and l.granted
        and l.database = (select oid from pg_database where datname = current_database())
)
