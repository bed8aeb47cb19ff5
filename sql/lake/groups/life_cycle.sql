-- Where customers are in their life as customers: the rows of members with life_cycle_stage beside.
-- Reads members (customer_id, connected_on, is_closed, consumption_trend and more).
-- Parameters: new_since, growth, decline.
select
    m.*,
    case
        when m.is_closed then 'closed'
        when m.connected_on > :new_since then 'new'
        when m.consumption_trend > :growth then 'growth'
        when m.consumption_trend < :decline then 'decline'
        else 'mature'
    end as life_cycle_stage
from members as m
