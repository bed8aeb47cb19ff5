"""Why a customer has a published grade, and what the next one needs.

published        the customer's row of the warehouse and the model that rated it
counterfactual   the least change, of what a customer can act on, that reaches the next grade
explanation      both put together, with texts
show             on a terminal

Everything comes from the warehouse, so a month can be explained long after its lake is gone.
"""
