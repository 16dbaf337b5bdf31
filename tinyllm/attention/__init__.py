"""Attention over the segments of a cache: the third field of a stage."""
