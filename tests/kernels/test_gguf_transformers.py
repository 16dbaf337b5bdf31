"""transformers' own packed modules on our kernel: a model from a GGUF file, and experts."""

import pytest
import torch
from gguf import GGMLQuantizationType
from torch import nn
from transformers import AutoModelForCausalLM, GgufConfig, Lfm2Config, Lfm2ForCausalLM
from transformers.integrations.gguf import kernels as seam
from transformers.integrations.gguf import utils

import gguf_files
from models import randomize
from packed_models import draw_blocks
from tinyllm.kernels import gguf

if not hasattr(utils, "GgufExperts"):
    pytest.skip("this transformers has no packed experts yet", allow_module_level=True)
GgufEmbedding, GgufExperts, GgufLinear = utils.GgufEmbedding, utils.GgufExperts, utils.GgufLinear

KINDS = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")
PROMPT = torch.tensor([[3, 1, 4, 1, 5, 9]])


@pytest.fixture
def used(monkeypatch):
    """Our kernel as the one that transformers has found, and the names of its functions that were called."""
    names = []

    def record(name):
        act = getattr(gguf, name)

        def recorded(*arguments):
            names.append(name)
            return act(*arguments)

        return recorded

    kernel = seam.GgufKernel(gguf)
    for name in ("mul_mat_vec", "mul_mat_id", "get_rows", "dequantize"):
        setattr(kernel, name, record(name))
    monkeypatch.setattr(seam, "_gguf_kernel", kernel)
    return names


@pytest.fixture
def read_on_the_cpu(monkeypatch):
    """transformers' rule that its kernel reads no memory of a CPU is left out; all else is its own."""
    monkeypatch.setattr(seam, "kernel_can_read", lambda tensor: seam.get_gguf_kernel() is not False)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A small LFM2, an architecture that transformers keeps packed, with a matrix in each format."""
    config = Lfm2Config(
        vocab_size=64,
        hidden_size=256,
        intermediate_size=512,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
        conv_L_cache=3,
        norm_eps=1e-5,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        tie_word_embeddings=True,
    )
    model = Lfm2ForCausalLM(config)
    randomize(model, 0)
    matrices = [name for name, values in model.named_parameters() if values.ndim == 2]
    kinds = {name: GGMLQuantizationType[KINDS[i % 6]] for i, name in enumerate(matrices)}
    path = tmp_path_factory.mktemp("packed") / "model.gguf"
    with torch.no_grad():
        return gguf_files.write(
            path,
            model,
            kind=lambda name: kinds.get(name, gguf_files.F32),
            **gguf_files.vocabulary(config.vocab_size),
        )


def load(path, *, dequantize, device="cpu"):
    model = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        quantization_config=GgufConfig(dequantize=dequantize),
        dtype=torch.float32,
        attn_implementation="eager",
    )
    return model.eval().to(device)


def generate(model, **options):
    prompt = PROMPT.to(model.device)
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=12,
        **options,
    ).tolist()


def check_packed_model(path, used, device):
    dense = load(path, dequantize=True, device=device)
    packed = load(path, dequantize=False, device=device)
    linears = [module for module in packed.modules() if isinstance(module, nn.Linear)]
    assert linears == [], "every matrix of the file stays packed"
    packed_modules = [m for m in packed.modules() if isinstance(m, GgufLinear | GgufEmbedding)]
    assert {m.ggml_type for m in packed_modules} == {GGMLQuantizationType[kind] for kind in KINDS}
    with torch.no_grad():
        prompt = PROMPT.repeat(1, 3).to(device)
        logits = packed(prompt).logits
        torch.testing.assert_close(logits, dense(prompt).logits, rtol=1e-3, atol=1e-4)
    assert generate(packed) == generate(dense)
    assert generate(packed, num_beams=3) == generate(dense, num_beams=3)
    assert "mul_mat_vec" in used


def test_a_model_of_a_file_runs_on_the_kernel(file, used):
    """By transformers' rules as they are: on a CPU the kernel multiplies few rows, and nothing else."""
    check_packed_model(file, used, "cpu")
    assert set(used) == {"mul_mat_vec"}


def test_every_function_of_the_kernel_runs_in_a_model(file, used, read_on_the_cpu):
    check_packed_model(file, used, "cpu")
    assert set(used) == {"mul_mat_vec", "get_rows", "dequantize"}


@pytest.mark.gpu
def test_a_model_on_a_gpu(file, used, accelerator):
    check_packed_model(file, used, accelerator)
    assert set(used) == {"mul_mat_vec", "get_rows", "dequantize"}


def check_experts(used, device):
    gate_up = draw_blocks(4 * 512, 256, "Q4_K", seed=0)
    down = draw_blocks(4 * 256, 256, "Q6_K", seed=1)
    experts = GgufExperts(4, 256, 256, gate_up.format.ggml_type, down.format.ggml_type, nn.SiLU())
    experts.gate_up_proj.copy_(gate_up.blocks.view(4, 512, -1))
    experts.down_proj.copy_(down.blocks.view(4, 256, -1))
    x = torch.randn(5, 256)
    scores = torch.rand(5, 2)
    ids = torch.stack([torch.randperm(4)[:2] for _ in x])
    gate, up = torch.einsum("mk,mcnk->mcn", x, gate_up.unpack().view(4, 512, 256)[ids]).chunk(2, -1)
    h = nn.functional.silu(gate) * up
    each = torch.einsum("mck,mcnk->mcn", h, down.unpack().view(4, 256, 256)[ids])
    found = experts.to(device)(x.to(device), ids.to(device), scores.to(device))
    expected = (each * scores[..., None]).sum(1)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4)
    assert used == ["mul_mat_id", "mul_mat_id"]


def test_experts_run_on_the_kernel(used):
    check_experts(used, "cpu")


@pytest.mark.gpu
def test_experts_on_a_gpu(used, accelerator):
    check_experts(used, accelerator)
