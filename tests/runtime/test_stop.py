"""What a step asks the host to wait for: whether it is over, and nothing else.

Torch's own operations, where there are no kernels, ask in every layer where to write, too. That kernels do not is seen
where they are captured, in `kernels/test_segment_gpu.py`: a graph cannot wait.
"""

from collections import Counter

import pytest

import models
import tinyllm
from tinyllm.lab.counters import record

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal")
SEARCHES = {
    "greedy": {},
    "sampling": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 4},
    "beams that end": {"num_beams": 4, "early_stopping": True, "length_penalty": 0.5},
}


def waits(model, batch, **options):
    """How often the host looks at a tensor, by operation."""
    operations = record(
        lambda: model.generate(**batch, pad_token_id=1, eos_token_id=[60, 59], **options)
    )
    names = Counter(operation.name.split("::")[1].split(".")[0] for operation in operations)
    return {name: times for name, times in names.items() if name in WAITING}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stage", tinyllm.STAGES)
def test_a_step_waits_once(stage, search):
    ids, mask = models.ragged(61, (2, 5, 8), seed=8)
    model, batch = (
        tinyllm.optimize(models.tiny(seed=2), stage=stage),
        {"input_ids": ids, "attention_mask": mask},
    )
    counts = [
        waits(model, batch, max_new_tokens=n, min_new_tokens=n, **SEARCHES[search]) for n in (4, 9)
    ]
    lengths = model.config.num_hidden_layers if stage in ("segment", "sdpa") else 0
    assert counts[1].pop("_local_scalar_dense") - counts[0].pop("_local_scalar_dense") == 5 * (
        1 + lengths
    )
    assert counts[0] == counts[1], "none of the others in a step"
