"""Prints the extras that this machine's torch does not bring, for pip: `python book/extras.py`.

The CUDA and XPU builds of torch bring their own Triton, and the XPU build its SYCL runtime; these must not be replaced.
"""

import torch

extras = ["test"]
if torch.version.xpu is None:
    extras.append("sycl")
    if torch.version.cuda is None:
        extras.append("triton")
print(",".join(extras))
