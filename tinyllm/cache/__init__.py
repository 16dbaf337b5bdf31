"""Where keys and values are kept: the second seam."""
