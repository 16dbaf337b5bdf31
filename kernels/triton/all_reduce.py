"""The all-reduce of a few rows in one launch, over memory that the GPUs of one host share.

Every rank stores its partial sums into the buffers of all ranks, then reads its own buffer: one trip over the link. A
signal and a read from each peer would be three. An element that has not arrived is recognised by itself: a buffer is
filled with negative zeros, and no rank ever sends one (0.0 adds the same). So there are no signals, and the elements
may arrive in any order.

Two slots alternate. What was read is filled with negative zeros again by the same launch. A peer stores into that slot
two calls later, once it has the partial sums of the call between, which were sent after the fill. The slot is the
parity of an epoch, which each program counts in memory, so that a captured graph can be replayed.

With FENCES, for Intel, adding 1 to the epoch is an acquire and a release at system scope, which orders the fill of the
call before and the sums of this one; so does each round of the wait, as Intel's compiler takes a volatile load for any
other. On NVIDIA the end of a launch has brought the fill to the L2 of its memory, where the peer's store arrives, and
volatile loads read that L2. Fences there cost 1.7 of 4.3 us, for a row of 4,096 on two H100s
(book/results/fences-h100.json).

A program owns the same elements in all calls, and waits for the same program of its peers alone. There are at most
`max_programs`, which all run at a time: none waits for one that cannot start.

The next RMSNorm is not in the epilogue: it needs all of a row, so that one program would send what 16 send, and of one
row the norm is a prologue of the next matmul already, without a launch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.distributed._symmetric_memory as symmetric_memory
import triton
import triton.language as tl
from torch import Tensor

from .arguments import cdiv, check_vectors, next_power_of_2
from .tuning import LaunchConfig, launch_for

SLOTS = 2
# The buffers hold words of the width of a float: bits are compared, as -0.0 == 0.0.
WORDS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}


class PeerBuffers(NamedTuple):
    """The address of each rank's buffer in this process; None beyond the last rank."""

    rank0: int
    rank1: int
    rank2: int | None = None
    rank3: int | None = None
    rank4: int | None = None
    rank5: int | None = None
    rank6: int | None = None
    rank7: int | None = None


MAX_RANKS = len(PeerBuffers._fields)


@triton.jit
def _send(words, buffers, offsets, NUM_RANKS: tl.constexpr):
    """Store words [BLOCK_SIZE] into the buffer of every rank, one's own among them."""
    for peer in tl.static_range(NUM_RANKS):
        buffer_ptr = buffers[peer].to(tl.pointer_type(words.dtype))
        tl.store(tl.multiple_of(buffer_ptr, 16) + offsets, words)


@triton.jit
def _receive(word_ptrs, epoch_ptr, EMPTY: tl.constexpr, FENCES: tl.constexpr):
    """Load words [BLOCK_SIZE] until all of them have arrived."""
    words = tl.load(word_ptrs, volatile=True)
    while tl.min(words, 0) == EMPTY:  # the smallest of all words
        if FENCES:
            tl.atomic_add(epoch_ptr, 0, sem="acq_rel", scope="sys")
        words = tl.load(word_ptrs, volatile=True)
    return words


@triton.jit(do_not_specialize=["num_programs", "rank"])
def _one_shot_all_reduce(
    partial_ptr, residual_ptr, bias_ptr, out_ptr, buffers, own_buffer, epochs_ptr,
    num_elements, num_columns, num_programs, rank,
    NUM_RANKS: tl.constexpr, BLOCK_SIZE: tl.constexpr, NUM_BLOCKS: tl.constexpr,
    FENCES: tl.constexpr,
):  # fmt: skip
    """NUM_BLOCKS * BLOCK_SIZE elements: the sum over ranks in their order, bias and residual; rounded once.

    A buffer has rows for `num_programs`, of which a call with fewer elements starts fewer.
    """
    BITS: tl.constexpr = partial_ptr.dtype.element_ty.primitive_bitwidth
    WORD: tl.constexpr = tl.int16 if BITS == 16 else tl.int32
    EMPTY: tl.constexpr = -(2 ** (BITS - 1))  # the word of -0.0
    TILE: tl.constexpr = NUM_BLOCKS * BLOCK_SIZE
    capacity = num_programs * TILE

    # Send. What the mask hides is sent as zeros, since the wait has no mask.
    first = tl.program_id(0) * TILE
    element = first + tl.arange(0, TILE)
    partial = tl.load(partial_ptr + element, mask=element < num_elements, other=0.0)
    epoch_ptr = epochs_ptr + tl.program_id(0)
    SEM: tl.constexpr = "acq_rel" if FENCES else "relaxed"
    epoch = tl.atomic_add(epoch_ptr, 1, sem=SEM, scope="sys")
    slot = (epoch & 1) * NUM_RANKS * capacity
    words = partial.to(WORD, bitcast=True)
    words = tl.where(words == EMPTY, 0, words).to(WORD)
    _send(words, buffers, slot + rank * capacity + element, NUM_RANKS)

    for block in range(NUM_BLOCKS):
        # The epilogue's operands are prefetched while the partial sums are on their way.
        offsets = first + block * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
        mask = offsets < num_elements
        if bias_ptr is not None:
            bias = tl.load(bias_ptr + offsets % num_columns, mask=mask, other=0.0).to(tl.float32)
        if residual_ptr is not None:
            residual = tl.load(residual_ptr + offsets, mask=mask, other=0.0).to(tl.float32)

        # Receive and sum
        y = tl.zeros([BLOCK_SIZE], tl.float32)
        slot_ptr = tl.multiple_of(own_buffer.to(tl.pointer_type(WORD)), 16) + slot
        for peer in range(NUM_RANKS):
            word_ptrs = slot_ptr + peer * capacity + offsets
            arrived = _receive(word_ptrs, epoch_ptr, EMPTY, FENCES)
            tl.store(word_ptrs, tl.full([BLOCK_SIZE], EMPTY, WORD))
            y += arrived.to(partial_ptr.dtype.element_ty, bitcast=True).to(tl.float32)

        if bias_ptr is not None:
            y += bias
        if residual_ptr is not None:
            y += residual
        tl.store(out_ptr + offsets, y, mask=mask)


class Split(NamedTuple):
    """How the elements of a buffer are split: blocks of a program, each of `num_warps`, and programs."""

    block_size: int
    num_blocks: int
    num_programs: int
    num_warps: int

    @property
    def capacity(self) -> int:
        """Elements of all programs."""
        return self.block_size * self.num_blocks * self.num_programs


def split_of(max_elements: int, launch: LaunchConfig) -> Split:
    """One warp and one block for each program; more warps, then more blocks, where that were too many programs."""
    of_warp = launch.blocks["elements_of_warp"]
    at_least = cdiv(max_elements, launch.blocks["max_programs"])
    of_program = max(of_warp, next_power_of_2(at_least))
    num_warps = min(of_program // of_warp, launch.num_warps)
    block_size = num_warps * of_warp
    return Split(
        block_size=block_size,
        num_blocks=of_program // block_size,
        num_programs=cdiv(max_elements, of_program),
        num_warps=num_warps,
    )


def num_words(max_elements: int, num_ranks: int, launch: LaunchConfig) -> int:
    """Words of one rank's buffer: two slots, in each the elements of every rank, filled up to complete programs."""
    return SLOTS * num_ranks * split_of(max_elements, launch).capacity


def empty_word(dtype: torch.dtype) -> int:
    """The bits of -0.0, with which every buffer is filled before any rank makes a call."""
    return torch.iinfo(WORDS[dtype]).min


class OneShotAllReduce:
    """Sums over the ranks of one host; every rank makes the same calls, in the same order.

    `buffer` [words] is this rank's, of `num_words` words, filled with `empty_word`; `addresses` are those of all ranks'
    buffers in this process, by rank. `from_group` makes both. The calls of a captured graph count as calls: no rank may
    replay one alone.
    """

    def __init__(
        self, buffer: Tensor, addresses: Sequence[int], rank: int, dtype: torch.dtype,
        *, launch: LaunchConfig | None = None,
    ) -> None:  # fmt: skip
        if not 2 <= len(addresses) <= MAX_RANKS:
            raise ValueError(f"{len(addresses)} ranks: expected 2 to {MAX_RANKS}")
        if dtype not in WORDS or buffer.dtype != WORDS[dtype]:
            expected = {str(kind): str(word) for kind, word in WORDS.items()}
            raise ValueError(f"{dtype} in a buffer of {buffer.dtype}: expected one of {expected}")
        if addresses[rank] != buffer.data_ptr():
            raise ValueError(f"address {rank} of {list(addresses)} is not that of the own buffer")
        self.launch = launch or launch_for("all_reduce", buffer.device.type)
        self.dtype = dtype
        self.rank = rank
        self.capacity = buffer.numel() // (SLOTS * len(addresses))
        self.split = split_of(self.capacity, self.launch)
        self._buffer = buffer
        self._addresses = PeerBuffers(*addresses)
        self._num_ranks = len(addresses)
        self._epochs = torch.zeros(self.split.num_programs, dtype=torch.int32, device=buffer.device)

    @classmethod
    def from_group(
        cls, group: dist.ProcessGroup, device: torch.device, dtype: torch.dtype, max_elements: int
    ) -> OneShotAllReduce:
        """For up to `max_elements`, in symmetric memory of torch's; every rank of the group calls it.

        Raises RuntimeError, of torch's, where the devices cannot read and write each other's memory.
        """
        launch = launch_for("all_reduce", device.type)
        size = num_words(max_elements, group.size(), launch)
        buffer = symmetric_memory.empty(size, dtype=WORDS[dtype], device=device)
        buffer.fill_(empty_word(dtype))
        torch.accelerator.synchronize(device)  # filled before a peer has its address
        handle = symmetric_memory.rendezvous(buffer, group)
        offset = buffer.data_ptr() - handle.buffer_ptrs[group.rank()]
        addresses = [address + offset for address in handle.buffer_ptrs]
        return cls(buffer, addresses, group.rank(), dtype, launch=launch)

    def __call__(
        self, partial: Tensor, residual: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """The sum of all ranks' partial [..., m], plus bias [m] and residual [..., m]; the same bits on every rank.

        It is summed in fp32, in the order of the ranks, and rounded once. Raises ValueError for more elements than
        `capacity`, for another dtype, or for shapes that do not fit.
        """
        self._check(partial, residual)
        check_vectors(partial.shape[-1], bias=bias)
        partial = partial.contiguous()
        residual = None if residual is None else residual.contiguous()
        out = torch.empty_like(partial)
        split = self.split
        grid = (cdiv(partial.numel(), split.block_size * split.num_blocks),)
        _one_shot_all_reduce[grid](
            partial, residual, bias, out, self._addresses, self._addresses[self.rank], self._epochs,
            partial.numel(), partial.shape[-1], split.num_programs, self.rank,
            NUM_RANKS=self._num_ranks, BLOCK_SIZE=split.block_size, NUM_BLOCKS=split.num_blocks,
            FENCES=partial.device.type != "cuda", num_warps=split.num_warps,
        )  # fmt: skip
        return out

    def _check(self, partial: Tensor, residual: Tensor | None) -> None:
        if partial.dtype != self.dtype or not 0 < partial.numel() <= self.capacity:
            given = f"{partial.numel()} elements of {partial.dtype}"
            raise ValueError(f"{given}: expected 1 to {self.capacity} of {self.dtype}")
        if residual is not None and residual.shape != partial.shape:
            shapes = f"{list(residual.shape)}: expected that of partial, {list(partial.shape)}"
            raise ValueError(f"residual has shape {shapes}")
