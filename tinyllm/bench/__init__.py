"""Engines loaded and timed in one run, and the rows that record the result."""
