"""A notebook's kernel that is a copy of a process which has imported torch and transformers: `fork_kernel.py FILE`.

Started by the kernel specification "forked", which `notebook_kernels.py` makes known. It lives as long as the kernel.
"""

import json
import os
import socket
import sys


def main(connection_file):
    """Request a kernel, and wait for its end; the process that has the imports ends it where this one is killed."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["NOTEBOOK_KERNELS"])
        request = {"file": connection_file, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(request).encode() + b"\n"], [0, 1, 2])
        server.recv(1)


if __name__ == "__main__":
    main(sys.argv[1])
