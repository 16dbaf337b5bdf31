"""Which extras this machine's torch leaves to install: `python book/extras.py` prints them for pip.

The CUDA and XPU builds of torch bring their own Triton, and the XPU build its SYCL runtime; nothing is put over them.
"""

import torch

extras = ["test"]
if torch.version.xpu is None:
    extras.append("sycl")
    if torch.version.cuda is None:
        extras.append("triton")
print(",".join(extras))
