"""How published months hold up: drift, backtest against known outcomes, the shadow rating of a challenger."""
