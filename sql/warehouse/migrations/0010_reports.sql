-- What reports need beside the published rows: the place of each grade on its scale, and the money of a month by region.
-- Runs once. Reads nothing.

-- rating.grade_scales: one row a publication and grade of the policy it was made under ---------------------------------

create view rating.grade_scales as
select
    p.publication_id,
    p.rating_month,
    p.superseded_at is null as is_current,
    s.grade,
    s.grade_ordinal
from (
    select
        d.policy_sha256,
        g.grade,
        cast(g.grade_ordinal as integer) as grade_ordinal
    from ops.policies as d
    cross join lateral jsonb_array_elements_text(d.document -> 'grades' -> 'names') with ordinality as g (grade, grade_ordinal)
) as s
inner join ops.publications as p on p.policy_sha256 = s.policy_sha256;

comment on view rating.grade_scales is 'One row a publication and grade of the policy it was made under.';
comment on column rating.grade_scales.publication_id is 'Revision of the month in ops.publications.';
comment on column rating.grade_scales.rating_month is 'First day of the rating month.';
comment on column rating.grade_scales.is_current is 'Whether readers see that revision.';
comment on column rating.grade_scales.grade is 'Grade.';
comment on column rating.grade_scales.grade_ordinal is 'Its place on the scale: 1 is the best.';

-- ops.receivables: by region too ---------------------------------------------------------------------------------------

alter table ops.receivables add column region text not null default '';
alter table ops.receivables drop constraint receivables_pkey;
alter table ops.receivables add primary key (rating_month, segment, region);

comment on table ops.receivables is 'One row a rating month, segment and region: the money of that month, from the records its publication knew.';
comment on column ops.receivables.region is 'Region, as at the end of the month; empty where it is not known, and in months decided before regions were recorded.';
