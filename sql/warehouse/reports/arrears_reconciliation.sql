-- One row a published month, segment and outcome: what is overdue at its end by the bills, against the arrears register.
-- outcome: agree, differ, bills_only or register_only. The customers behind it: report.arrears_differences.
-- Reads ops.arrears_reconciliation. No row where the source has no register of the month.

select
    rating_month,
    segment,
    outcome,
    customers,
    overdue_by_bills,
    overdue_by_register,
    difference
from ops.arrears_reconciliation
