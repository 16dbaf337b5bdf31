"""What is kept in a cache folder is complete and private."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from kept_files import OTHER_UID, as_root, content, description, is_private, never, refused

from tinyllm.kernels import file_cache
from tinyllm.kernels.file_cache import cache_folder, cached

pytestmark = pytest.mark.usefixtures("warned_anew")


# ---- where ---------------------------------------------------------------------------------------


def test_the_folder_is_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert cache_folder("cpu") == Path("/there/tinyllm/cpu")
    for named in ("", "relative", "./here", "~/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        assert cache_folder("cpu") == Path("/home/me/.cache/tinyllm/cpu")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("cpu") == Path("/home/me/.cache/tinyllm/cpu")


def no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("home", [no_home, lambda: Path("relative")])
def test_without_a_home_the_folder_is_absolute(monkeypatch, home):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    assert cache_folder("cpu") == Path("/.cache/tinyllm/cpu")


# ---- made once, and private ----------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077, pytest.param(0o777, marks=as_root)])
@pytest.mark.parametrize("make", [content, description])
def test_what_is_made_is_private_whatever_the_umask(tmp_path, umask, make):
    path = tmp_path / "home" / "tinyllm" / "kind" / "name"
    before = os.umask(umask)
    try:
        assert cached(path, make) == path
    finally:
        os.umask(before)
    assert cached(path, never) == path
    inside = [part for part in (tmp_path / "home").rglob("*") if part.name != "lock"]
    assert all(map(is_private, [tmp_path / "home", *inside]))


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError, match="made again"):
        cached(tmp_path / "kind" / "name", never)
    assert [path.name for path in (tmp_path / "kind").iterdir()] == ["lock"]


# ---- damage --------------------------------------------------------------------------------------


def cut(path):
    path.write_text(path.read_text()[:3])


def empty(path):
    path.write_text("")


def alter(path):
    path.write_text("Content")


def extend(path):
    path.write_text(path.read_text() + "s")


def remove(path):
    path.unlink()


def remove_checksum(path):
    file_cache._checksum_file(path).unlink()


def break_checksum(path):
    file_cache._checksum_file(path).write_bytes(b"\xff\xfe")


def link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def become_a_pipe(path):
    path.unlink()
    os.mkfifo(path, 0o600)


def become_a_folder(path):
    path.unlink()
    (path / "inner").mkdir(parents=True)


def take_anothers_place(path):
    other = cached(path.with_name("other"), lambda new: new.write_text("of another"))
    other.replace(path)
    file_cache._checksum_file(other).replace(file_cache._checksum_file(path))


FILE_DAMAGES = (
    *(cut, empty, alter, extend, remove, remove_checksum, break_checksum, link, become_a_folder),
    become_a_pipe,
    take_anothers_place,
)


@pytest.mark.parametrize("damage", FILE_DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    path = cached(tmp_path / "kind" / "name", content)
    damage(path)
    assert cached(path, content) == path
    assert path.is_file() and not path.is_symlink() and path.read_text() == "content"
    assert cached(path, never) == path
    assert not list(path.parent.glob("*.part"))


def inside(damage):
    """The same damage to a file in a folder."""
    return lambda path: damage(path / "inner" / "tokenizer.json")


def add_a_file(path):
    (path / "more.json").write_text("{}")


def move_a_file(path):
    (path / "inner" / "tokenizer.json").rename(path / "tokenizer.json")


def link_a_folder(path):
    (path / "inner").rename(path.with_name("elsewhere"))
    (path / "inner").symlink_to("../elsewhere")


def become_a_file(path):
    shutil.rmtree(path)
    path.write_text("")


FOLDER_DAMAGES = (
    *(inside(damage) for damage in (cut, empty, alter, extend, remove, link, become_a_pipe)),
    *(remove_checksum, add_a_file, move_a_file, link_a_folder, become_a_file),
)


@pytest.mark.parametrize("damage", FOLDER_DAMAGES)
def test_a_damaged_folder_is_made_anew(tmp_path, damage):
    path = cached(tmp_path / "kind" / "name", description)
    damage(path)
    assert cached(path, description) == path
    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    assert files == {"config.json", "inner/tokenizer.json"}
    assert (path / "inner" / "tokenizer.json").read_text() == "[]"
    assert cached(path, never) == path


# ---- folders that cannot serve -------------------------------------------------------------------


def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "tinyllm" / "kind" / "name", tmp_path / "file" / "name"):
        refused(path, match=r"Not a directory; set XDG_CACHE_HOME")


@pytest.fixture
def ordinary_user():
    """A private folder of a user who is not root, and this process as that user."""
    folder = Path(tempfile.mkdtemp())
    uid = os.geteuid()
    if uid == 0:
        os.chown(folder, OTHER_UID, OTHER_UID)
        os.seteuid(OTHER_UID)
    yield folder
    os.seteuid(uid)
    shutil.rmtree(folder)


@pytest.mark.parametrize("of_root", [False, pytest.param(True, marks=as_root)])
def test_a_folder_that_cannot_be_written_serves_what_it_has(ordinary_user, of_root):
    path = cached(ordinary_user / "kind" / "name", content)
    if of_root:
        os.seteuid(0)
        for part in (path.parent, *path.parent.iterdir()):
            os.chown(part, 0, 0)
            part.chmod(0o755 if part.is_dir() else 0o644)
        os.seteuid(OTHER_UID)
    else:
        path.parent.chmod(0o500)
    assert cached(path, never) == path
    refused(path.with_name("another"), match="Permission denied")


@as_root
def test_a_folder_that_root_keeps_for_itself_is_said(ordinary_user):
    path = ordinary_user / "tinyllm" / "kind" / "name"
    os.seteuid(0)
    (ordinary_user / "tinyllm").mkdir(mode=0o700)
    os.seteuid(OTHER_UID)
    refused(path, match="Permission denied")


def test_a_home_that_cannot_be_written_is_said_once_for_each_kind(ordinary_user):
    ordinary_user.chmod(0o500)
    refused(ordinary_user / "cache" / "tinyllm" / "cpu" / "name", match="Permission denied")
    refused(ordinary_user / "cache" / "tinyllm" / "gguf" / "name", match="Permission denied")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_said(tmp_path, code):
    path = tmp_path / "kind" / "name"

    def make(new):
        content(new)
        if new.is_relative_to(tmp_path / "kind"):
            raise OSError(code, os.strerror(code), str(new))

    refused(path, match=os.strerror(code), make=make)
    assert not path.exists() and not list(path.parent.glob("*.part"))


def test_no_code_is_kept_where_none_can_be_loaded(tmp_path, monkeypatch):
    of = os.statvfs

    def statvfs(folder):
        noexec = Path(folder).is_relative_to(tmp_path)
        return SimpleNamespace(f_flag=os.ST_NOEXEC) if noexec else of(folder)

    monkeypatch.setattr(os, "statvfs", statvfs)
    path = cached(tmp_path / "kind" / "name", content)
    assert path == tmp_path / "kind" / "name"
    refused(path, match="mounted noexec", executable=True)
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=os.ST_NOEXEC))
    with pytest.raises(PermissionError, match="mounted noexec"):
        cached(path, content, executable=True)


def test_without_a_temporary_folder_the_reason_is_raised(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with (
        pytest.warns(UserWarning, match="Not a directory"),
        pytest.raises(OSError, match="Not a directory"),
    ):
        cached(tmp_path / "file" / "kind" / "name", content)


def test_a_temporary_folder_that_others_may_write_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "shared"))
    with (
        pytest.warns(UserWarning, match="Not a directory"),
        pytest.raises(PermissionError, match=f"could have written {tmp_path}/shared "),
    ):
        cached(tmp_path / "file" / "kind" / "name", content)


# ---- the temporary folder ------------------------------------------------------------------------

AT_EXIT = """
import os, sys
sys.path.append(sys.argv[1])
from file_cache import temporary_folder
folder = temporary_folder()
child = os.fork()
if child == 0:
    assert temporary_folder() != folder
    sys.exit()
assert os.waitpid(child, 0)[1] == 0 and folder.is_dir()
print(folder.stat().st_mode & 0o777, len(list(folder.parent.iterdir())))
"""


def test_the_temporary_folder_ends_with_its_process(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", AT_EXIT, str(Path(file_cache.__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(0o700), "1"], done.stderr
    assert not list(tmp_path.iterdir())


def test_a_warning_that_is_an_error_is_raised(tmp_path):
    (tmp_path / "file").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="is not used"):
            cached(tmp_path / "file" / "kind" / "name", content)
