"""Arrears rebates: campaigns, the rebate ledger, clawbacks, simulation of past campaigns."""
