"""The ruler: what work costs, predicted, counted and timed."""
