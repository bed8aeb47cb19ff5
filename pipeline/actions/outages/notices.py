"""What customers are told of planned outages: one notice per customer and outage, and then amendments.

Written to ops.outage_notices and the outbox through the cursor of one bulk transaction. It holds the temporary tables
``planned`` (outage_id, feeder_id, starts_at, ends_at: every outage that is to take place) and ``affected`` (the same
with customer_id and is_life_support: everybody whom one still to come leaves without power).
"""

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.actions.outbox import propose as outbox
from pipeline.policy.actions import OutageNotices
from pipeline.warehouse.publications import Publication

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

NOTICE = "outage_notice"
AMENDMENT = "outage_notice_amendment"
NEGOTIATION = "outage_negotiation"

# A moment near now is the clock's, and what it decides expires as time goes by. One that was given to try does not.
_EXPIRES = "case when abs(extract(epoch from now() - cast($1 as timestamptz))) < 86400 then {starts_at} end"
_ISO = """to_char({0} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')"""
_HOURS_AHEAD = "extract(epoch from {starts_at} - cast($1 as timestamptz)) / 3600"

_NOTICES = f"""
select
    array[a.outage_id, a.customer_id] as reference,
    a.customer_id,
    'planned outage ' || a.outage_id || ' of feeder ' || a.feeder_id as reason,
    jsonb_build_object(
        'outage_id', a.outage_id, 'feeder_id', a.feeder_id, 'starts_at', {_ISO.format("a.starts_at")},
        'ends_at', {_ISO.format("a.ends_at")}, 'is_life_support', a.is_life_support
    ) as payload,
    case when a.is_life_support then 1 when k.outage_sensitivity >= $3 then 2 else 3 end as priority,
    {_EXPIRES.format(starts_at="a.starts_at")} as expires_at
from affected as a
left join rating.customer_groups as k on k.rating_month = $2 and k.customer_id = a.customer_id
left join ops.outage_notices as n
    on n.outage_id = a.outage_id and n.customer_id = a.customer_id and n.sequence = 0
left join ops.service_actions as s on s.action_id = n.action_id
where a.starts_at <= cast($1 as timestamptz) + $4 * interval '1 day'
    and (n.action_id is null or {outbox.untouched("s")})
    and ($5 or a.is_life_support or k.outage_sensitivity >= $3)
"""

_ENTER_NOTICES = f"""
insert into ops.outage_notices as n (
    outage_id, customer_id, sequence, action_id, feeder_id, starts_at, ends_at, decided_at, hours_ahead, is_late
)
select
    a.outage_id, a.customer_id, 0, d.action_id, a.feeder_id, a.starts_at, a.ends_at, $1,
    {_HOURS_AHEAD.format(starts_at="a.starts_at")}, {_HOURS_AHEAD.format(starts_at="a.starts_at")} < $2
from decided as d
inner join affected as a on a.outage_id = d.reference[1] and a.customer_id = d.customer_id
on conflict (outage_id, customer_id, sequence) do update
set feeder_id = excluded.feeder_id, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
    decided_at = excluded.decided_at, hours_ahead = excluded.hours_ahead, is_late = excluded.is_late
where (n.feeder_id, n.starts_at, n.ends_at) is distinct from (excluded.feeder_id, excluded.starts_at, excluded.ends_at)
returning 1
"""

# What customers were told last and is no longer so, of outages still to come. The last thing told may still be changed
# itself (is_open), and then goes by what was told before it.
_CHANGES = f"""
create temporary table changes on commit drop as
with last_told as (
    select distinct on (n.outage_id, n.customer_id)
        n.outage_id, n.customer_id, n.feeder_id, n.sequence, n.starts_at, n.ends_at, n.action_id,
        {outbox.untouched("s")} as is_open
    from ops.outage_notices as n
    inner join ops.service_actions as s on s.action_id = n.action_id
    where n.outage_id in (
        select t.outage_id from ops.outage_notices as t where t.starts_at > cast($1 as timestamptz)
        union
        select p.outage_id from planned as p where p.starts_at > cast($1 as timestamptz)
    )
    order by n.outage_id, n.customer_id, n.sequence desc
)

select
    l.outage_id,
    l.customer_id,
    l.feeder_id,
    l.action_id as last_action_id,
    l.sequence = 0 and l.is_open as is_untold,
    case when l.is_open then l.sequence else l.sequence + 1 end as sequence,
    p.starts_at,
    p.ends_at,
    b.starts_at as previous_starts_at,
    l.is_open and (p.starts_at, p.ends_at) is not distinct from (before.starts_at, before.ends_at) as is_moot,
    f.action_id as notice_id,
    f.payload -> 'is_life_support' as is_life_support
from last_told as l
inner join ops.outage_notices as first
    on first.outage_id = l.outage_id and first.customer_id = l.customer_id and first.sequence = 0
inner join ops.service_actions as f on f.action_id = first.action_id
left join planned as p on p.outage_id = l.outage_id and p.feeder_id = l.feeder_id
left join ops.outage_notices as before
    on before.outage_id = l.outage_id
    and before.customer_id = l.customer_id
    and before.sequence = l.sequence - 1
-- the last start that was told for certain
left join lateral (
    select o.starts_at
    from ops.outage_notices as o
    where o.outage_id = l.outage_id
        and o.customer_id = l.customer_id
        and o.starts_at is not null
        and (o.sequence < l.sequence or not l.is_open)
    order by o.sequence desc
    limit 1
) as b on true
where (p.starts_at, p.ends_at) is distinct from (l.starts_at, l.ends_at)
    and coalesce(p.starts_at, l.starts_at) > cast($1 as timestamptz)
    and coalesce(l.starts_at, p.starts_at) > cast($1 as timestamptz)
"""

# Nothing was told yet and the outage is called off; or what was to be amended is so again.
_VOID = "select last_action_id from changes where (is_untold and starts_at is null) or (is_moot and not is_untold)"
_FORGET = f"delete from ops.outage_notices where action_id in ({_VOID}) returning 1"

_AMENDMENTS = f"""
select
    array[c.outage_id, c.customer_id, cast(c.sequence as text)] as reference,
    c.customer_id,
    'outage ' || c.outage_id || ' of feeder ' || c.feeder_id
    || case when c.starts_at is null then ' is called off' else ' has been moved' end as reason,
    jsonb_build_object(
        'outage_id', c.outage_id, 'feeder_id', c.feeder_id, 'previous_starts_at', {_ISO.format("c.previous_starts_at")},
        'starts_at', {_ISO.format("c.starts_at")}, 'ends_at', {_ISO.format("c.ends_at")},
        'is_life_support', c.is_life_support
    ) as payload,
    c.notice_id as follows,
    case when cast(c.is_life_support as boolean) then 1 else 2 end as priority,
    {_EXPIRES.format(starts_at="coalesce(c.starts_at, c.previous_starts_at)")} as expires_at
from changes as c
where not c.is_untold and not c.is_moot
"""

_ENTER_AMENDMENTS = f"""
insert into ops.outage_notices as n (
    outage_id, customer_id, sequence, action_id, feeder_id, starts_at, ends_at, decided_at, hours_ahead, is_late
)
select
    c.outage_id, c.customer_id, c.sequence, d.action_id, c.feeder_id, c.starts_at, c.ends_at, $1,
    {_HOURS_AHEAD.format(starts_at="coalesce(c.starts_at, c.previous_starts_at)")},
    {_HOURS_AHEAD.format(starts_at="coalesce(c.starts_at, c.previous_starts_at)")} < $2
from decided as d
inner join changes as c on c.outage_id = d.reference[1] and c.customer_id = d.customer_id
on conflict (outage_id, customer_id, sequence) do update
set starts_at = excluded.starts_at, ends_at = excluded.ends_at, decided_at = excluded.decided_at,
    hours_ahead = excluded.hours_ahead, is_late = excluded.is_late
returning 1
"""

_NEGOTIATIONS = f"""
select
    array[a.outage_id, a.customer_id, {_ISO.format("a.starts_at")}] as reference,
    a.customer_id,
    'planned outage ' || a.outage_id || ' of a customer whom ' || m.manager || ' looks after' as reason,
    jsonb_build_object(
        'outage_id', a.outage_id, 'feeder_id', a.feeder_id, 'manager', m.manager,
        'starts_at', {_ISO.format("a.starts_at")}, 'ends_at', {_ISO.format("a.ends_at")}
    ) as payload,
    a.starts_at as due_at,
    {_EXPIRES.format(starts_at="a.starts_at")} as expires_at
from affected as a
inner join ops.account_managers as m
    on m.customer_id = a.customer_id
    and m.rating_month = (select max(rating_month) from ops.account_managers where rating_month <= $2)
where a.starts_at <= cast($1 as timestamptz) + $3 * interval '1 day'
"""

_NO_LONGER_NEGOTIATED = f"""
select s.action_id
from ops.service_actions as s
where s.action_type = '{NEGOTIATION}'
    and s.due_at > cast($1 as timestamptz)
    and not exists (select from decided as d where d.action_id = s.action_id)
"""


def tell(
    cursor: "Cursor", at: datetime, publication: Publication, terms: OutageNotices, run_kind: str
) -> dict[str, int]:
    """Write what customers have to be told at that moment; how many notices, amendments and negotiations are new or
    other than before, how many of the first two are late, and how many actions were withdrawn."""
    month = publication.rating_month.first_day

    def propose(action_type: str, decided: str, parameters: list) -> int:
        return propose_now(cursor, publication, action_type, decided, parameters, run_kind)

    cursor.execute(_CHANGES, [at])
    withdrawn = outbox.withdraw(cursor, _VOID, [], "the outage is called off, or as it was told")
    outbox.written(cursor, _FORGET)

    heard = [at, month, terms.sensitive_from, terms.look_ahead_days, terms.recipients == "all"]
    propose(NOTICE, _NOTICES, heard)
    notices = outbox.written(cursor, _ENTER_NOTICES, [at, terms.hours_ahead])

    propose(AMENDMENT, _AMENDMENTS, [at])
    amendments = outbox.written(cursor, _ENTER_AMENDMENTS, [at, terms.hours_ahead])

    negotiations = propose(NEGOTIATION, _NEGOTIATIONS, [at, month, terms.look_ahead_days])
    withdrawn += outbox.withdraw(cursor, _NO_LONGER_NEGOTIATED, [at], "the outage is called off, or at another time")

    cursor.execute("select count(*) from ops.outage_notices where decided_at = $1 and is_late", [at])
    return {
        "notices": notices,
        "amendments": amendments,
        "late": cursor.fetchone()[0],
        "negotiations": negotiations,
        "withdrawn": withdrawn,
    }


def propose_now(
    cursor: "Cursor", publication: Publication, action_type: str, decided: str, parameters: list, run_kind: str
) -> int:
    """Propose what does not follow from a publication but from this very moment; suppressed by a backfill alone."""
    fires = run_kind != "backfill"
    changed = outbox.propose(cursor, publication, action_type, decided, parameters, run_kind=run_kind, fires=fires)
    return changed + (outbox.begin_anew(cursor, run_kind) if fires else 0)
