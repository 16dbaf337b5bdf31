"""Pictures for the notebooks and the command line."""
