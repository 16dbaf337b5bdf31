"""Random weights of every kind of decoder, and its decode step in float64."""

import torch
from cpu_kernels import draw

from tinyllm.check import references
from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels import cpu, int8
from tinyllm.kernels.kernel_set import KeyValueScales
from tinyllm.kernels.weights import DenseWeight

MATRICES = ("qkv", "o", "gate_up", "down")


def dense(weight):
    """The elements of a matrix."""
    if isinstance(weight, DenseWeight):
        return weight.data
    return torch.cat([rows.unpack() for rows in weight.parts])


def weights(
    dtype,
    *,
    h=6,
    g=2,
    d=16,
    m=40,
    f=56,
    v=51,
    layers=2,
    rotated=None,
    bases=(100.0,),
    bias=False,
    layer_norm=False,
    pre_norms=True,
    shared_norm=False,
    head_norms=False,
    post_norms=False,
    lm_head_bias=False,
    matrix=None,
    **options,
):
    """Random weights of any kind of decoder; `matrix`, a function of outputs and inputs, makes its matrices."""
    number = iter(range(1000))

    def r(*shape):
        generator = torch.Generator().manual_seed(next(number))
        return (torch.randn(shape, generator=generator) * shape[-1] ** -0.5).to(dtype)

    matrix = matrix or (lambda n, k: DenseWeight(r(n, k)))
    near_one = lambda n: 1 + r(n)  # noqa: E731
    maybe = lambda wanted, n: 0.5 * r(n) if wanted else None  # noqa: E731

    def layer():
        matrices = {
            "qkv": matrix((h + 2 * g) * d, m),
            "o": matrix(m, h * d),
            "down": matrix(m, f),
            "gate_up": matrix(f * (1 + options.get("gated", True)), m),
        }
        biases = {f"{name}_bias": maybe(bias, x.shape[0]) for name, x in matrices.items()}
        norms = {
            name: near_one(m) if pre_norms else None for name in ("attention_norm", "mlp_norm")
        }
        norms |= {f"{name}_bias": maybe(layer_norm, m) for name in norms}
        if shared_norm:
            norms |= {
                "mlp_norm": norms["attention_norm"],
                "mlp_norm_bias": norms["attention_norm_bias"],
            }
        if head_norms:
            norms |= {"q_norm": near_one(d), "k_norm": near_one(d)}
        if post_norms:
            norms |= {"attention_post_norm": near_one(m), "mlp_post_norm": near_one(m)}
        return matrices | biases | norms

    rotated = d if rotated is None else rotated
    frequencies = [
        (base and base ** (-torch.arange(0, rotated, 2) / max(rotated, 1))) for base in bases
    ]
    frequencies = [torch.as_tensor(row).expand(rotated // 2).float() for row in frequencies]
    return cpu.DecoderWeights(
        layers=[layer() for _ in range(layers)],
        embedding=matrix(v, m),
        norm=near_one(m),
        norm_bias=maybe(layer_norm, m),
        lm_head=matrix(v, m),
        lm_head_bias=maybe(lm_head_bias, v),
        heads=(h, g, d),
        frequencies=torch.stack(frequencies) if len(bases) > 1 else frequencies[0].contiguous(),
        **{"activation": "silu", "eps": 1e-5} | options,
    )


def reference_step(
    weights,
    tokens,
    inputs_embeds,
    positions,
    memory,
    lengths,
    beam_index,
    prompt_positions,
    int8_memory=None,
):
    """The step spelled out in float64; keys and values are written into the memory.

    `int8_memory`: what a step has left in int8, whose new rows are taken where they are rounded well.
    """
    (b, w), (h, g, d), eps = tokens.shape, weights.heads, weights.eps
    wide = lambda x: None if x is None else x.double()  # noqa: E731
    matrix = lambda x: DenseWeight(dense(x).double())  # noqa: E731

    def norm(weight, bias):
        return None if weight is None else references.NormWeights(wide(weight), wide(bias), eps)

    x = (
        (dense(weights.embedding)[tokens] if inputs_embeds is None else inputs_embeds)
        .double()
        .flatten(0, 1)
    )
    first, rows = (int(lengths[1]) - 1) * w, torch.atleast_2d(weights.frequencies)
    for i, (layer, (prompt_k, prompt_v, response_k, response_v)) in enumerate(
        zip(weights.layers, memory, strict=True)
    ):
        p = {
            name: matrix(value) if name in MATRICES else wide(value)
            for name, value in layer.items()
        }
        angles = (
            positions[..., None].float()
            * rows[weights.frequency_sets[i] if weights.frequency_sets else 0]
        ).double()
        before = norm(p["attention_norm"], p["attention_norm_bias"])
        merged = references.linear(x, p["qkv"], p["qkv_bias"], before).view(b, w, -1, d)
        parts = (
            merged.unflatten(2, (h, 3)).unbind(3)
            if weights.per_head
            else merged.split([h, g, g], 2)
        )
        q, k, v = (part.transpose(1, 2) for part in parts)
        if "q_norm" in p:
            q, k = (
                references.rms_norm(q, p["q_norm"], eps),
                references.rms_norm(k, p["k_norm"], eps),
            )
        q, k = (
            references.rotate(x, angles.cos(), angles.sin(), weights.interleaved) for x in (q, k)
        )
        new = slice(first, first + w)
        if int8_memory is not None:
            kept_k, kept_v = (x[:, :, new] for x in int8_memory[i][2:])
            k, v = checked_rows(kept_k, k, weights.dtype), checked_rows(kept_v, v, weights.dtype)
        response_k[:, :, new], response_v[:, :, new] = k, v
        a = references.segment_attention(
            q,
            prompt_k,
            prompt_v,
            response_k,
            response_v,
            lengths,
            beam_index,
            prompt_positions,
            weights.slopes,
            weights.scale,
            weights.softcap,
            weights.windows[i] if weights.windows else None,
        ).flatten(0, 1)
        a = references.linear(a, p["o"], p["o_bias"])
        a = (
            references.rms_norm(a, p["attention_post_norm"], eps)
            if "attention_post_norm" in p
            else a
        )
        before = norm(p["mlp_norm"], p["mlp_norm_bias"])
        read = x if weights.parallel else x + a
        inner = references.linear(
            read,
            p["gate_up"],
            p["gate_up_bias"],
            before,
            weights.activation,
            weights.gated,
        )
        out = references.linear(inner, p["down"], p["down_bias"])
        out = references.rms_norm(out, p["mlp_post_norm"], eps) if "mlp_post_norm" in p else out
        x = x + a + out
    return references.linear(
        x,
        matrix(weights.lm_head),
        wide(weights.lm_head_bias),
        norm(weights.norm, weights.norm_bias),
    )


SLOPES = 2.0 ** -torch.arange(1.0, 7.0)
OLD = {"layer_norm": True, "bias": True, "gated": False, "activation": "gelu"}
KINDS = {
    "as Llama": {},
    "biases": {"bias": True, "activation": "gelu"},
    "LayerNorm, no gate": OLD | {"activation": "relu"},
    "ALiBi": {
        "rotated": 0,
        "slopes": SLOPES,
        "layer_norm": True,
        "activation": "gelu_pytorch_tanh",
    },
    "interleaved, a part of each head": {"interleaved": True, "rotated": 8},
    "half-split, a part of each head": {"rotated": 12},
    "odd sizes": {"h": 3, "g": 3, "d": 10, "m": 33, "f": 7, "v": 19, "bias": True},
    "wide heads": {"h": 2, "g": 1, "d": 80, "m": 130},
    "another scale": {"scale": 0.6},
    "softcap and ALiBi": {"softcap": 0.8, "slopes": SLOPES},
    "windows": {"windows": (6, None, 2), "layers": 3},
    "the last token alone": {"windows": (1, 1)},
    "windows and ALiBi": {"windows": (7, 3), "rotated": 0, "slopes": SLOPES},
    "normalised heads, odd sizes": {"head_norms": True, "h": 3, "g": 3, "d": 10, "m": 33},
    "parallel": {"parallel": True},
    "post norms": {"post_norms": True},
    "post norms alone, odd sizes": {
        "post_norms": True,
        "pre_norms": False,
        "m": 33,
        "f": 7,
        "v": 19,
    },
    "rows per head": {"per_head": True, "g": 6, "rotated": 8},
    "two rows of frequencies": {"bases": (100.0, 7.0), "frequency_sets": (1, 0)},
    "bias of the head": {"lm_head_bias": True},
    "as Gemma 2": {"post_norms": True, "softcap": 1.5, "windows": (6, None), "scale": 0.3},
    "as Gemma 3": {
        "post_norms": True,
        "head_norms": True,
        "windows": (6, None),
        "bases": (7.0, 100.0),
        "frequency_sets": (0, 1),
    },
    "as GPT-J": OLD
    | {
        "parallel": True,
        "shared_norm": True,
        "interleaved": True,
        "rotated": 8,
        "lm_head_bias": True,
    },
    "as GPT-NeoX": OLD | {"parallel": True, "per_head": True, "h": 4, "g": 4, "rotated": 4},
    "as Bloom": OLD
    | {"per_head": True, "g": 6, "rotated": 0, "slopes": SLOPES, "inputs_embeds": True},
    "as OPT": OLD | {"rotated": 0, "inputs_embeds": True, "activation": "relu"},
    "as Qwen3": {"head_norms": True},
    "as SmolLM3": {"bases": (100.0, 0.0), "frequency_sets": (0, 1, 0), "layers": 3},
}


def checked_rows(kept, right, dtype):
    """Rows of int8 memory, which lie within half a step of the right ones; attention then reads them as they are."""
    largest = right.abs().amax(dim=-1, keepdim=True)
    assert ((kept - right).abs() <= (1 / 254 + 3 * TOLERANCES[dtype]) * largest).all()
    return kept.double()


def in_int8(memory):
    """The codes and the scales of every layer's memory; a scale is NaN where its row is."""
    codes, scales = [], []
    for layer in memory:
        both = [int8.quantize(x.nan_to_num(nan=9.0)) for x in layer]
        codes.append(tuple(code for code, _ in both))
        pairs = zip(both, layer, strict=True)
        hidden = [scale.masked_fill(x.isnan().any(-1), float("nan")) for (_, scale), x in pairs]
        scales.append(KeyValueScales(*hidden))
    return codes, scales


def stored(codes, scales):
    """What a layer's memory in int8 stands for."""
    return tuple(x * scale[..., None] for x, scale in zip(codes, scales, strict=True))


def memory_of(model, b, w, t, steps, room):
    """Keys and values of every layer before this step; NaN wherever nothing is to be read."""
    g, d, dtype = *model.heads[1:], model.dtype
    for window in model.windows or [None] * len(model.layers):
        prompt, response = (
            [draw(b, g, n, d, dtype=dtype) for _ in range(2)] for n in (t + 3, room * w)
        )
        hidden = 0 if window is None else max(0, t + steps - window)
        for x in prompt:
            x[:, :, :hidden] = x[:, :, t:] = float("nan")
        for x in response:
            x[:, :, : max(0, hidden - t) * w] = x[:, :, (steps - 1) * w :] = float("nan")
        yield (*prompt, *response)


def compare(kind, dtype, b, w, padded, stores_int8=False, kernels=None, **changes):
    """One step of such a decoder and the memory after it, against float64; `stores_int8`: keys and values are int8.

    `kernels` are those of another instruction set than this processor's best.
    """
    options = KINDS[kind] | changes
    inputs_embeds = (
        draw(b, options.get("m", 40), w, dtype=dtype).mT
        if options.pop("inputs_embeds", False)
        else None
    )
    model, t, step, room = weights(dtype, **options), 9, 4, 6
    memory = list(memory_of(model, b, w, t, step, room))
    if stores_int8:
        codes, scales = in_int8(memory)
        memory = [stored(*layer) for layer in zip(codes, scales, strict=True)]
    twin = [tuple(x.double() for x in layer) for layer in memory]
    lengths = torch.tensor([t, step], dtype=torch.int32)
    generator = torch.Generator().manual_seed(b * w)
    beam_index = (
        torch.randint(w, (b, w, room), generator=generator, dtype=torch.int32) if w > 1 else None
    )
    if beam_index is not None:
        beam_index[:, :, step - 1] = torch.arange(w)
    prompt_positions = (
        (torch.arange(t + 3) - 2 * torch.arange(b)[:, None]).int() if padded else None
    )
    start = (
        torch.full((1, 1), t)
        if prompt_positions is None
        else prompt_positions[:, t - 1 : t].long() + 1
    )
    positions = (start + step - 1).expand(-1, w).contiguous()
    tokens = torch.randint(model.lm_head.shape[0], (b, w), generator=generator)
    native = cpu.DecodeStep(kernels or cpu.kernels(), model)
    if stores_int8:
        native.bind(codes, scales)
    else:
        native.bind(memory)
    ids = tokens if inputs_embeds is None else tokens - 99
    got = native(ids, positions, lengths, beam_index, prompt_positions, inputs_embeds)
    if stores_int8:
        memory = [stored(*layer) for layer in zip(codes, scales, strict=True)]
    right = reference_step(
        model,
        tokens,
        inputs_embeds,
        positions,
        twin,
        lengths,
        beam_index,
        prompt_positions,
        int8_memory=memory if stores_int8 else None,
    )
    near(got, right, dtype)
    for mine, theirs in zip(memory, twin, strict=True):
        for x, y in zip(mine, theirs, strict=True):
            assert torch.equal(x.isnan(), y.isnan()), "written where nothing belongs"
            near(x.nan_to_num(), y.nan_to_num(), dtype)


def near(got, right, dtype):
    """As in the tables of the operations, several of which follow each other here."""
    scale = right.abs().clamp(min=right.square().mean().sqrt())
    assert ((got.double() - right).abs() <= 3 * TOLERANCES[dtype] * scale).all()
