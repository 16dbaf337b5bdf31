"""One model over several devices: each rank has a part of every matrix, and partial sums are added up."""
