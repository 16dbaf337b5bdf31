"""Engines beside each other: loaded, run in turns, timed, told in rows."""
