"""The portable kernels: one source for XPU and CUDA, interpreted where there is no GPU."""
