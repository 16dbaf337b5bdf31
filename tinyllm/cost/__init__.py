"""What work costs, predicted before it runs: bytes, FLOPs and launches of every part of a stage."""
