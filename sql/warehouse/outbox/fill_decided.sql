-- Fills the table decided with the rows of a query.
-- One row: an action.
-- Fragments: decided (the query, with its own parameters), columns (those of decided that it returns), action_type (the
-- parameter with the type).

insert into decided (action_type, {columns})
select {action_type}, {columns}
from ({decided}) as d
