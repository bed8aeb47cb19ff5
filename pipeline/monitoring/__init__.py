"""How published months hold up: drift, backtest against matured outcomes, the shadow rating of a challenger."""
