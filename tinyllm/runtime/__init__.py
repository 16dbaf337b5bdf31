"""The device, and how a decode step is run on it."""
