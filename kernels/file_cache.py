"""What is made once per user and kept in a cache folder: compiled code, descriptions of checkpoints.

Code from this folder runs with the user's rights. So nothing is taken from a place where another
user could have written it, nor a file that is not, byte for byte, what was put there. Where the
folder cannot serve, the process makes what it needs in a private temporary folder.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import hashlib
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

try:
    import fcntl
    import grp
    import pwd
except ImportError:  # Windows, where the folders of a user are private
    fcntl = None

LOCK_TIMEOUT = 300  # seconds, for a build of another process
POLL_INTERVAL = 0.05
NOEXEC = getattr(os, "ST_NOEXEC", 0)  # 0 where Python does not know the flag
REMEDY = "set XDG_CACHE_HOME to a folder that you alone can write"


def cache_folder(kind: str) -> Path:
    """`tinyllm/KIND` in $XDG_CACHE_HOME, or in ~/.cache where that is not an absolute path."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else _home() / ".cache") / "tinyllm" / kind


def cached(path: Path, make: Callable[[Path], None], executable: bool = False) -> Path:
    """The file or folder `path`, made by `make(new_path)` where it is missing or damaged.

    Where its folder cannot be used, there is a warning with the reason, and the result is a path in a temporary
    folder of this process. `executable` is for code, which cannot be loaded from every file system.
    Raises OSError where the temporary folder cannot be used either, and whatever `make` raises.
    """
    path = path.absolute()
    try:
        return _cached(path, make, executable)
    except OSError as error:
        reason = error.strerror or error
        _warn_once(
            f"the cache folder {path.parent} is not used, so every process makes anew what belongs "
            f"there, which takes seconds: {reason}; {REMEDY}"
        )
    return _cached(temporary_folder() / path.parent.name / path.name, make, executable)


def temporary_folder() -> Path:
    """A private folder of this process, removed at its exit; raises OSError where none is usable."""
    return _temporary_folder(os.getpid())


@functools.cache
def _temporary_folder(process: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tinyllm-"))
    atexit.register(_remove_at_exit, folder, process)
    return folder


def _remove_at_exit(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a fork
        shutil.rmtree(folder, ignore_errors=True)


def _cached(path: Path, make: Callable[[Path], None], executable: bool) -> Path:
    _make_private(path.parent)
    if executable and NOEXEC and os.statvfs(path.parent).f_flag & NOEXEC:
        raise PermissionError(f"no code can be loaded from {path.parent}, which is mounted noexec")
    if _is_intact(path):
        return path
    with _locked(path.parent) as locked:
        if locked and _is_intact(path):  # another process has made it meanwhile
            return path
        if locked:
            _sweep(path.parent)
        options = {"suffix": ".part", "ignore_cleanup_errors": True}
        with tempfile.TemporaryDirectory(dir=path.parent, **options) as folder:
            new = Path(folder) / path.name
            make(new)
            _publish(new, path)
    return path


# ---- whom a place belongs to ---------------------------------------------------------------------


def _make_private(folder: Path) -> None:
    """Make a folder, and those that lead to it, for this user alone.

    Raises PermissionError where another user could replace what lies in it, and OSError.
    """
    home = _home()
    above_home = {*home.parents, *Path(os.path.realpath(home)).parents}
    for place in _leading_to(folder):
        if not place.exists():
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o700)
                place.chmod(0o700)  # a umask may have taken bits away
        info = place.stat()
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        # In a sticky folder, such as /tmp, a user can replace what is the user's own alone.
        sticky = info.st_mode & stat.S_ISVTX and place != folder
        shared = _is_shared(info) and not sticky
        foreign = _is_foreign(info) or _is_foreign(place.lstat())
        # The places above a home are the administrator's, under whatever name.
        if shared or (foreign and place not in above_home):
            remedy = "remove it, or make it yours alone with chown and chmod go-w"
            raise PermissionError(f"{_description(place, info)}: {remedy}")


def _leading_to(path: Path) -> Iterator[Path]:
    """The places from the root to a path; after a symlink, those that lead to what it names."""
    for place in (*reversed(path.parents), path):
        yield place
        if place.is_symlink():
            yield from _leading_to(place.parent / place.readlink())


def _home() -> Path:
    """The user's home; the root folder where there is none."""
    try:
        home = Path.home()
    except RuntimeError:
        return Path("/")
    return home if home.is_absolute() else Path("/")


def _is_foreign(info: os.stat_result) -> bool:
    """Whether a file belongs to another user; root can write everything anyway."""
    return os.name == "posix" and info.st_uid not in (0, os.geteuid())


def _is_shared(info: os.stat_result) -> bool:
    """Whether the mode of a file lets other users write it."""
    if os.name != "posix":
        return False
    by_group = info.st_mode & stat.S_IWGRP and not _is_private_group(info.st_gid)
    return bool(by_group or info.st_mode & stat.S_IWOTH)


def _is_private_group(gid: int) -> bool:
    """Whether a group is the user's own, as systems with a umask of 002 give to each user."""
    try:
        group = grp.getgrgid(gid)
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    same = (gid, group.gr_name) == (user.pw_gid, user.pw_name)
    return same and set(group.gr_mem) <= {user.pw_name}


def _description(path: Path, info: os.stat_result) -> str:
    mode = stat.S_IMODE(info.st_mode)
    return f"another user could have written {path} (owner {info.st_uid}, mode {mode:03o})"


# ---- one entry -----------------------------------------------------------------------------------


def _is_intact(path: Path) -> bool:
    """Whether a file or folder is what `_publish` has put there, and the user's alone."""
    checksum = _checksum_file(path)
    try:
        for part in (checksum, path, *path.rglob("*")):
            info = part.lstat()
            if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
                return False
            if _is_foreign(info) or _is_shared(info):
                _warn_once(f"{_description(part, info)}: it is not used, but made anew")
                return False
        return checksum.read_text() == _digest(path)
    except (OSError, ValueError):
        return False


def _publish(new: Path, path: Path) -> None:
    """Write the checksum of a new file or folder, and move both into place."""
    for part in (new, *new.rglob("*")):
        part.chmod(0o700 if part.is_dir() else 0o600)
    _checksum_file(new).write_text(_digest(new))
    _checksum_file(new).chmod(0o600)
    if os.path.lexists(path):
        path.rename(new.parent / "old")
    new.rename(path)
    _checksum_file(new).replace(_checksum_file(path))


def _checksum_file(path: Path) -> Path:
    """The file beside a file or folder that holds its digest."""
    return path.with_name(f"{path.name}.sha256")


def _digest(path: Path) -> str:
    """SHA-256 of the name and every byte of a file, or of all files in a folder."""
    total = hashlib.sha256(path.name.encode())
    for file in sorted(part for part in (path, *path.rglob("*")) if not part.is_dir()):
        content = file.read_bytes()
        total.update(f"\0{file.relative_to(path)}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


# ---- several processes ---------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, after waiting for it; False where there are no locks."""
    with (folder / "lock").open("a") as file:
        locked = _lock(file)
        try:
            yield locked
        finally:
            if locked:
                fcntl.flock(file, fcntl.LOCK_UN)  # for a fork, too, which has the file open


def _lock(file: TextIO) -> bool:
    """Wait for a lock; raises TimeoutError."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                held = f"another process has held {file.name} for {LOCK_TIMEOUT} seconds"
                raise TimeoutError(held) from None
            time.sleep(POLL_INTERVAL)
        except OSError:  # a file system without locks
            return False
    return False


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left; the holder of the lock is the only builder."""
    for part in folder.glob("*.part"):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@functools.cache
def _warn_once(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=3)
