"""The warehouse: what was rated and published, and what was done about it.

connection       how to reach it, and what to say when it cannot be reached
migrations       its tables (sql/warehouse) and its views (sql/warehouse/reports)
publications     which revision of which month readers see
registry         model versions: registered, promoted, in force for a month
indices          the columns of rating.credit_indices follow the policy
data_quality     what validation found, replaced a lake partition at a time
"""
