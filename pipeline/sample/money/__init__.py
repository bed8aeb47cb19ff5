"""The money of the sample utility: bills, payments, what is open, and what is done about debts."""
