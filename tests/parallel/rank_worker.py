"""Worlds of processes, each of which runs the same cases together: `rank_worker.py FOLDER`.

FOLDER has a folder for each world: in it are one for each model, and `plan.json`; each rank writes `rank-N.json` there.
A rank has the variables that torchrun sets. All are copies of one process, which has opened a model: torch and the
parts of transformers that this takes are imported once for all of them.
"""

import gc
import io
import json
import os
import signal
import socket
import sys
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path

import torch
import torch._inductor  # the profiler of each rank would import it

import tinyllm
from models import ragged
from tinyllm import cli
from tinyllm.bench import machine
from tinyllm.parallel.ranks import close_ranks, pick_ranks

WAYS = {
    "greedy": {},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "samples": {"do_sample": True, "num_return_sequences": 3, "temperature": 0.8},
}


def inputs():
    ids, mask = ragged(61, [7, 4, 9])
    return ids, {"attention_mask": mask, "max_new_tokens": 6}


def answer(model, way, seed=3):
    ids, options = inputs()
    torch.manual_seed(seed)
    return model.generate(ids, **options, **WAYS[way]).tolist()


def run_case(folder, case):
    model = tinyllm.from_pretrained(
        folder / case["model"], stage=case["stage"], device="cpu", dtype="float32", parallel="auto"
    )
    ids, options = inputs()
    tokens = {way: answer(model, way) for way in case["ways"]}
    return {"tokens": tokens, "logits": model(ids, options["attention_mask"]).tolist()}


def command(*arguments, stdin=""):
    """Exit status and output of a command line; the process group stays."""
    sys.stdin = io.StringIO(stdin)
    cli.close_ranks = lambda: None
    with redirect_stdout(io.StringIO()) as out:
        status = cli.main(list(arguments))
    return [status, out.getvalue()]


def commands(folder, rank):
    """Commands, of which the first rank alone reads the input and prints."""
    model = ("--model", str(folder / "with-tokenizer"), "--device", "cpu", "--dtype", "float32")
    text = "abc" if rank == 0 else "never read"
    machine.BUFFER_BYTES["cpu"] = 1 << 20
    sizes = ("--prompts", "8", "--new-tokens", "4", "--repeats", "1", "--stages", "final")
    return {
        "prompt": command("generate", "abc", "--raw", *model, "--max-new-tokens", "5"),
        "stdin": command("generate", "--raw", *model, "--max-new-tokens", "5", stdin=text),
        "bench": command("bench", *model, *sizes, "--json", str(folder / "rows.json")),
    }


def error_of(act):
    try:
        act()
    except (ValueError, ConnectionError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def mismatches(model, rank):
    """What ranks get that call the model differently."""
    ids, options = inputs()
    other = ids if rank == 0 else ids.flip(1)
    options["attention_mask"] = None
    return {
        "ids": error_of(lambda: model.generate(other, **options)),
        "length": error_of(lambda: model.generate(ids, max_new_tokens=3 + rank)),
        "forward": error_of(lambda: model(other)),
        "seed": error_of(lambda: answer(model, "samples", seed=rank)),
        "none": error_of(lambda: answer(model, "samples")),
    }


class Dies:
    """A stopping criterion by which one rank ends, or hangs, in the middle of an answer."""

    def __init__(self, act):
        self.act = act
        self.tokens = 0

    def __call__(self, input_ids, scores, **kwargs):
        self.tokens += 1
        if self.tokens == 3:
            self.act()
        return torch.zeros(len(input_ids), dtype=torch.bool)


def loss(model, rank, how):
    """What the other ranks get when the last one ends, or does not answer."""
    last = rank == model.ranks.size - 1
    act = {"ends": lambda: os._exit(3), "hangs": lambda: time.sleep(600)}[how] if last else int
    ids, options = inputs()
    start = time.perf_counter()
    error = error_of(lambda: model.generate(ids, **options, stopping_criteria=[Dies(act)]))
    return {"error": error, "seconds": time.perf_counter() - start}


def plan_of(folder):
    return json.loads((folder / "plan.json").read_text())


def run_rank(folder):
    plan = plan_of(folder)
    ranks = pick_ranks("auto", torch.device("cpu"), timeout_s=plan["timeout_s"])
    found = {"cases": [run_case(folder, case) for case in plan["cases"]]}
    model = tinyllm.from_pretrained(
        folder / plan["cases"][0]["model"], device="cpu", dtype="float32", parallel="auto"
    )
    found["shown"] = repr(model)
    found["commands"] = commands(folder, ranks.rank)
    found["mismatches"] = mismatches(model, ranks.rank)
    write = lambda: (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(found))  # noqa: E731
    write()
    ranks.share(None)
    found["loss"] = loss(model, ranks.rank, plan["loss"])
    write()
    if plan["loss"] == "ends":
        close_ranks()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def copy_of_this_process(folder, rank, port):
    """Start a rank; returns the number of its process."""
    process = os.fork()
    if process:
        return process
    plan = plan_of(folder)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(plan["size"])}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        run_rank(folder)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def start(folder):
    """The numbers of the processes of a world."""
    port = free_port()
    return [copy_of_this_process(folder, rank, port) for rank in range(plan_of(folder)["size"])]


def has_failed(processes):
    """Wait for all ranks but the last, which is lost."""
    failed = [os.waitpid(process, 0)[1] != 0 for process in processes[:-1]]
    os.kill(processes[-1], signal.SIGKILL)
    return any(failed)


def wait_for_answers(folder, processes):
    """Until all ranks have written theirs, and wait for the one that is lost; or one of them has failed."""
    files = [folder / f"rank-{rank}.json" for rank in range(len(processes))]
    look_without_waiting = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not all(file.exists() for file in files):
        if any(os.waitid(os.P_PID, process, look_without_waiting) for process in processes):
            return
        time.sleep(0.05)


def main(folder):
    """Run all worlds; the exit status is 0 where all ranks but the lost ones end well.

    The ranks of one world wait for one that hangs. Meanwhile the others run, one world after the other.
    """
    worlds = sorted(path.parent for path in folder.glob("*/plan.json"))
    tinyllm.from_pretrained(worlds[0] / "with-tokenizer", device="cpu", dtype="float32")
    gc.freeze()  # what ranks have in common is not looked through in each of them
    (hanging,) = [world for world in worlds if plan_of(world)["loss"] == "hangs"]
    processes = start(hanging)
    wait_for_answers(hanging, processes)
    failed = [has_failed(start(world)) for world in worlds if world != hanging]
    return int(any([*failed, has_failed(processes)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
