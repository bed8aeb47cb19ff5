"""How the sample utility writes its rows: months, Arrow columns, and rows that are recorded late."""
