"""`tinyllm bench` where only torch and transformers are installed: `python3 book/device/whole_model.py ...`.

The arguments are those of `python -m tinyllm bench`; in a checkout that is not installed, the kernels are beside
the package, and this script makes them importable. As recorded in book/results (each within ten minutes on one GPU):

    python3 book/device/whole_model.py --preset ladder --random llama-2-7b --prompts 1024 --new-tokens 128 --json FILE
    python3 book/device/whole_model.py --preset throughput --random llama-2-7b --beams 4 --batch --json FILE

`--batch` without numbers times the largest batch alone. Rows are written after every round, so that an interrupted run
keeps them. `merge` joins such files: `whole_model.py merge PART PART ... --json FILE`, as those of
the paper's models, each measured with `--preset latency --one-copy --random SHAPE --stages final --prompts 1024`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))


def merge(arguments: list[str]) -> int:
    """Rows of several files in one."""
    from tinyllm.bench.rows import read_rows, write_rows

    parser = argparse.ArgumentParser(prog="whole_model.py merge", description=merge.__doc__)
    parser.add_argument("parts", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    rows = [row for path in options.parts for row in read_rows(path)]
    write_rows(rows, options.json)
    print(f"{len(rows)} rows: {options.json}")
    return 0


def find_tinyllm() -> None:
    """Make tinyllm importable as in a worker; that module can be loaded before tinyllm is importable."""
    path = ROOT / "tinyllm" / "bench" / "checkout.py"
    spec = importlib.util.spec_from_file_location("checkout", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.find_tinyllm()


def main(arguments: list[str]) -> int:
    """Measure, or merge."""
    find_tinyllm()
    if arguments[:1] == ["merge"]:
        return merge(arguments[1:])
    from tinyllm.cli import main as command

    return command(["bench", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
