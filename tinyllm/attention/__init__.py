"""Attention over a cache: the third seam."""
