"""`python -m tinyllm.kernels.gguf FOLDER` exports the kernel of GGUF weights for the package `kernels`."""

import argparse
from pathlib import Path

from .export import export

parser = argparse.ArgumentParser(prog="python -m tinyllm.kernels.gguf", description=export.__doc__)
parser.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty")
try:
    export(parser.parse_args().folder)
except OSError as error:
    parser.error(str(error))
