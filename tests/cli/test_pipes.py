"""The command line between other programs: readers that leave, bytes that are no text, errors that stay errors."""

import os
import subprocess
import sys

import pytest

import models
import tinyllm

BAD = b"caf\xe9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipes")
    models.tiny(max_position_embeddings=512).save_pretrained(path)
    models.letters().save_pretrained(path)
    return path


def command(folder, *arguments):
    return [sys.executable, "-m", "tinyllm", "generate", "--model", str(folder), *arguments]


@pytest.mark.parametrize("more", [["--max-new-tokens", "400"], ["--num-beams", "2"]])
def test_a_reader_that_leaves_is_no_error(folder, more):
    """The other end of the pipe is closed before the first word is written."""
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        command(folder, "abc", *more), stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("how", ["argument", "standard input"])
def test_bytes_that_are_no_utf8(folder, how):
    given = [BAD] if how == "argument" else []
    run = subprocess.run(command(folder, *given), input=None if given else BAD, capture_output=True)
    assert run.returncode == 2
    last = run.stderr.decode().strip().splitlines()[-1]
    assert last == (
        "tinyllm generate: error: the prompt is not valid UTF-8: byte 0xe9 after 3 characters; "
        "convert it to UTF-8"
    )


def test_version():
    run = subprocess.run(
        [sys.executable, "-m", "tinyllm", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"tinyllm {tinyllm.__version__}\n"
