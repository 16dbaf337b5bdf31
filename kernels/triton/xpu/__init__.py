"""Intel's Triton compiler on a machine without an Intel GPU.

`compiler` fetches it into the user's cache folder, since a process has one Triton and the environment keeps its own.
In a process that `compiler.environment` describes, `target` compiles kernels for Intel GPUs, and `driver.run_on_cpu`
runs them on tensors of the CPU.
"""
