-- Where is most to lose?
-- Chart: heat map; down segment, across region, value expected_loss_rate. A map, where regions have a shape.

select
    segment,
    region,
    customers,
    mean_default_probability,
    exposure,
    expected_loss,
    expected_loss_rate,
    receivable,
    overdue
from report.expected_loss
where rating_month = (select max(rating_month) from report.publications where is_current)
order by expected_loss desc, segment, region
