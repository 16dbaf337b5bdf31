"""Run a command on all notebooks, whose kernels import torch, transformers and tinyllm once for all.

`notebook_kernels.py COMMAND ...` imports them, makes the kernel specification "forked" known to the command, and
copies itself for each kernel that the command starts. The notebooks are the command's last arguments. Its exit status
is the command's. A kernel has one thread, as several run at a time.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

TESTS = Path(__file__).parent
ROOT = TESTS.parent
TIMES = ROOT / "book" / "results" / "notebooks-cpu.json"
SHARED = (
    "ipykernel.kernelapp",
    "matplotlib.figure",
    "tinyllm.lab",
    "torch",
    "transformers.models.llama.configuration_llama",
    "transformers.tokenization_utils_tokenizers",
)
# These import Triton, which reads TRITON_INTERPRET. Without a GPU, notebooks that run a kernel set it before.
SHARED_WITHOUT_A_GPU = (
    "torch._dynamo",
    "torch.onnx",
    "torch.utils.flop_counter",
    "transformers.models.llama.modeling_llama",
)
NOT_SHARED = ("triton", "tinyllm.kernels.triton")  # they read variables that a notebook sets


def receive(connection):
    """What a kernel is started with, and its standard streams."""
    data, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not data.endswith(b"\n"):
        data += connection.recv(1 << 20)
    return json.loads(data), streams


def copy_of_this_process(connection):
    """Start a kernel in a copy of this process; returns the number of its process."""
    request, streams = receive(connection)
    process = os.fork()
    if not process:
        try:
            run_kernel(request, streams)
        finally:
            os._exit(0)
    for stream in streams:
        os.close(stream)
    return process


def run_kernel(request, streams):
    """Be the kernel of a notebook until it is shut down."""
    from ipykernel.kernelapp import IPKernelApp

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ |= request["environment"]
    IPKernelApp.launch_instance(argv=["-f", request["file"]])


def serve(listener, command):
    """Start a kernel for each connection, and end it with its connection, until the command ends."""
    kernels = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        while command.poll() is None:
            for key, _ in waiting.select(timeout=0.2):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    kernels[connection] = copy_of_this_process(connection)
                    waiting.register(connection, selectors.EVENT_READ)
                else:
                    waiting.unregister(key.fileobj)
                    os.kill(kernels[key.fileobj], signal.SIGKILL)
            for connection, process in list(kernels.items()):
                if os.waitpid(process, os.WNOHANG)[0]:
                    connection.close()
                    del kernels[connection]
    for process in kernels.values():
        os.kill(process, signal.SIGKILL)
    return command.returncode


def longest_first():
    """All notebooks by their recorded times: a long one that came last would leave a worker without work."""
    seconds = json.loads(TIMES.read_text())["seconds"]
    found = [
        path
        for folder in ("", "solutions")
        for path in (ROOT / "notebooks" / folder).glob("*.ipynb")
    ]
    return sorted(map(str, found), key=lambda path: (-seconds.get(Path(path).stem, 0), path))


def import_shared():
    """Import what a kernel is to have from its start."""
    for module in SHARED:
        import_module(module)
    imported = [name for name in NOT_SHARED if name in sys.modules]
    assert not imported, f"{imported} would ignore the variables of a notebook"
    version = sys.modules["torch"].version
    if version.cuda is None and version.xpu is None:
        with patch.dict(os.environ, TRITON_INTERPRET="1"):
            for module in SHARED_WITHOUT_A_GPU:
                import_module(module)


def main(command):
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    import_shared()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder) / "kernels")
        listener.bind(address)
        listener.listen()
        paths = {
            "NOTEBOOK_KERNELS": address,
            "JUPYTER_PATH": str(TESTS / "jupyter"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.getenv("PYTHONPATH")])),
        }
        process = subprocess.Popen([*command, *longest_first()], env=os.environ | paths)
        return serve(listener, process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
