"""tinyllm: how LLM inference becomes fast on Intel GPUs, stage by stage, in one decoder that you can import."""

from tinyllm.answers import best_of
from tinyllm.drop_in import optimize
from tinyllm.model import Model, from_pretrained
from tinyllm.stages import STAGES, Stage

__version__ = "0.1.0"
__all__ = ["STAGES", "Model", "Stage", "best_of", "from_pretrained", "optimize"]
