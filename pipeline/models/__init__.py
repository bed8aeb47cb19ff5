"""Which model rates a month: choose retrain or apply, fit a challenger on past cohorts, hold it against gates."""
