"""What is kept in a cache folder is made by one process or thread at a time."""

import contextlib
import errno
import os
import signal
import threading
import time

import pytest
from kept_files import content, never, refused

from tinyllm.kernels import file_cache
from tinyllm.kernels.file_cache import cached

pytestmark = pytest.mark.usefixtures("warned_anew")


@pytest.fixture
def fork():
    """Starts children that do some work; they end with the test at the latest."""
    children = []

    def start(work):
        children.append(os.fork())
        if children[-1] == 0:
            try:
                work()
                os._exit(0)
            except BaseException:
                os._exit(1)
        return children[-1]

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_processes_at_once_make_it_once(tmp_path, fork):
    path, log = tmp_path / "kind" / "name", tmp_path / "log"

    def make(new):
        with log.open("a") as file:
            file.write("made\n")
        time.sleep(0.2)
        content(new)

    children = [fork(lambda: cached(path, make)) for _ in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert log.read_text() == "made\n"
    assert cached(path, never) == path


def test_threads_at_once_make_it_once(tmp_path):
    path, made = tmp_path / "kind" / "name", []

    def make(new):
        made.append(new)
        time.sleep(0.1)
        content(new)

    threads = [threading.Thread(target=cached, args=(path, make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and cached(path, never) == path


def test_what_a_killed_process_left_is_swept(tmp_path, fork):
    path = tmp_path / "kind" / "name"

    def stop(new):
        content(new)
        time.sleep(60)

    child = fork(lambda: cached(path, stop))
    until(lambda: list(path.parent.glob("*.part/name")))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (path.parent / "older.so.part").write_text("")
    assert list(path.parent.glob("*.part"))
    assert cached(path, content) == path
    assert not list(path.parent.glob("*.part"))


def test_a_lock_that_is_never_released_is_said(tmp_path, monkeypatch, fork):
    path = tmp_path / "kind" / "name"
    monkeypatch.setattr(file_cache, "LOCK_TIMEOUT", 0.1)

    def stop(new):
        content(new)
        time.sleep(60)

    fork(lambda: cached(path, stop))
    until(lambda: list(path.parent.glob("*.part/name")))
    refused(path, match=r"another process has held .*lock for 0.1 seconds")
    assert list(path.parent.glob("*.part/name")), "of a builder that lives"


def test_a_lock_is_released_though_a_fork_has_it_open(tmp_path, monkeypatch, fork):
    path = tmp_path / "kind" / "name"

    def make(new):
        fork(lambda: time.sleep(60))
        content(new)

    cached(path, make)
    monkeypatch.setattr(file_cache, "LOCK_TIMEOUT", 0.1)
    assert cached(path.with_name("another"), content).parent == path.parent


def test_a_file_system_without_locks_is_used_and_nothing_swept(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_cache.fcntl, "flock", flock)
    other = tmp_path / "kind" / "another.part"
    other.mkdir(parents=True)
    path = tmp_path / "kind" / "name"
    assert cached(path, content) == path
    assert other.exists()


def test_without_the_module_of_locks_it_works(tmp_path, monkeypatch):
    monkeypatch.setattr(file_cache, "fcntl", None)
    path = tmp_path / "kind" / "name"
    assert cached(path, content) == path
    assert cached(path, never) == path
