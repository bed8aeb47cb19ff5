-- What the published months of a customer were made from. One row: a revision of a month that readers see, with the
-- partitions of the lake it was rated from.
-- Parameters: customer.

select p.*, i.partitions as inputs
from rating.credit_grades as g
inner join ops.publications as p on p.publication_id = g.publication_id
left join ops.inputs as i on i.input_sha256 = p.input_sha256
where g.customer_id = :customer
order by p.rating_month
