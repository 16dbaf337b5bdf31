"""Several processes that run the same cases together: `rank_worker.py FOLDER SIZE PORT`.

FOLDER has a folder for each model, and `cases.json`; each rank writes `rank-N.json` there. A rank has the variables
that torchrun sets. All are copies of one process, which has opened a model: torch and the parts of transformers that
this takes are imported once for all of them.
"""

import io
import json
import os
import signal
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


def run_rank(folder):
    plan = json.loads((folder / "cases.json").read_text())
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


def copy_of_this_process(folder, rank, size, port):
    """Start a rank; returns the number of its process."""
    process = os.fork()
    if process:
        return process
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    try:
        run_rank(folder)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(folder, size, port):
    """Start all ranks; the exit status is 0 where all but the last, which is lost, end well."""
    tinyllm.from_pretrained(folder / "with-tokenizer", device="cpu", dtype="float32")
    processes = [copy_of_this_process(folder, rank, size, port) for rank in range(size)]
    failed = [os.waitpid(process, 0)[1] != 0 for process in processes[:-1]]
    os.kill(processes[-1], signal.SIGKILL)
    return int(any(failed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
