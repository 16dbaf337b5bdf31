"""The native Intel kernels, compiled at run time by Intel's compiler."""
