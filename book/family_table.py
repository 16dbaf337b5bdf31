"""The table of the families of the library, for the site and the page of results."""

from __future__ import annotations

import json
from pathlib import Path

from tinyllm.families import registered
from tinyllm.families.traits import traits

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"


def families() -> str:
    """Every family: well-known models, differences from Llama, and unsupported features."""
    from transformers import AutoConfig, logging

    logging.set_verbosity_error()
    gpu = json.loads((RESULTS / "gpu-tests-h200.json").read_text())
    lines = [
        f"Held against transformers {proven('transformers')}, token for token, in every stage; on an {gpu['device']} "
        f"({gpu['date']}) against {gpu['versions']['transformers']}:\n",
        "| models | `model_type` | what they have that Llama has not | refused by name |",
        "| --- | --- | --- | --- |",
    ]
    for family in registered():
        kind = next(iter(family.architectures))
        found = traits(family.describe(AutoConfig.for_model(kind)))
        kinds = ", ".join(f"`{name}`" for name in family.architectures)
        lines.append(
            f"| {family.models} | {kinds} | {', '.join(found) or '-'} | {family.refused or '-'} |"
        )
    return "\n".join(lines)


def proven(package: str) -> str:
    """The version of a package that the tests use."""
    pinned = (
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    return next(version for name, version in pinned if name == package)
