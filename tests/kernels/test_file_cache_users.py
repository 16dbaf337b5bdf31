"""A cache folder is used where no other user could have written what lies in it."""

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest
from kept_files import OTHER_UID, as_root, content, is_private, never, refused

from tinyllm.kernels import file_cache
from tinyllm.kernels.file_cache import cached

pytestmark = pytest.mark.usefixtures("warned_anew")


@pytest.fixture
def entry(tmp_path):
    """A file that was made, three folders below a private one."""
    return cached(tmp_path / "home" / "tinyllm" / "kind" / "name", content)


LEVELS = ("kind", "tinyllm", "home")


def level(entry, name):
    return next(place for place in entry.parents if place.name == name)


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("mode", [0o777, 0o703, 0o720])
def test_a_folder_that_others_may_write_is_not_used(entry, name, mode):
    place = level(entry, name)
    place.chmod(mode)
    os.chown(place, -1, OTHER_UID if os.geteuid() == 0 else os.getgid())
    if mode == 0o720 and os.geteuid() != 0:
        place.chmod(0o702)  # a group of this user's own is trusted
    entry.write_text("planted")
    refused(entry, match=rf"could have written {place} .*owner \d+, mode 7.*chmod go-w")
    assert entry.read_text() == "planted"


def test_a_sticky_folder_may_lead_to_the_cache_but_not_be_it(entry):
    for name in ("home", "tinyllm"):
        level(entry, name).chmod(0o1777)
    assert cached(entry, never) == entry
    entry.parent.chmod(0o1777)
    refused(entry, match="mode 1777")


@as_root
@pytest.mark.parametrize("name", LEVELS)
def test_a_folder_of_another_user_is_not_used(entry, name):
    os.chown(level(entry, name), OTHER_UID, OTHER_UID)
    refused(entry, match=f"owner {OTHER_UID}, mode 700")


@as_root
def test_a_link_of_another_user_is_not_followed(entry, tmp_path):
    path = tmp_path / "link" / "name"
    path.parent.symlink_to(entry.parent)
    assert cached(path, never) == path
    os.chown(path.parent, OTHER_UID, OTHER_UID, follow_symlinks=False)
    refused(path, match="another user could have written")


@pytest.mark.parametrize("of_the_checksum", [False, True])
@pytest.mark.parametrize("change", ["mode", pytest.param("owner", marks=as_root)])
def test_a_file_that_others_may_write_is_made_anew(entry, change, of_the_checksum):
    part = file_cache._checksum_file(entry) if of_the_checksum else entry
    os.chown(part, OTHER_UID, OTHER_UID) if change == "owner" else part.chmod(0o666)
    made = []
    with pytest.warns(UserWarning, match=rf"could have written {part} .*made anew"):
        assert cached(entry, lambda new: (made.append(new), content(new))) == entry
    assert made and is_private(part) and part.stat().st_uid == os.geteuid()
    assert cached(entry, never) == entry


def test_the_administrator_owns_the_places_above_a_home(entry, monkeypatch):
    above = level(entry, "home").stat().st_ino
    monkeypatch.setattr(
        file_cache, "_is_foreign", lambda info: info.st_ino == above or info.st_uid == OTHER_UID
    )
    monkeypatch.setattr(Path, "home", lambda: level(entry, "tinyllm"))
    assert cached(entry, never) == entry
    monkeypatch.setattr(Path, "home", lambda: level(entry, "home"))
    refused(entry, match="another user could have written")


def test_a_group_of_the_users_own_is_no_other_user(entry, monkeypatch):
    user = SimpleNamespace(pw_gid=entry.stat().st_gid, pw_name="me")
    group = SimpleNamespace(gr_name="me", gr_mem=[])
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    level(entry, "tinyllm").chmod(0o775)
    assert cached(entry, never) == entry
    group.gr_mem = ["me", "you"]
    refused(entry, match="mode 775")


def test_an_unknown_user_shares_groups_with_others(entry, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    level(entry, "tinyllm").chmod(0o770)
    refused(entry, match="mode 770")


# ---- links ---------------------------------------------------------------------------------------


def test_a_linked_folder_is_used(entry, tmp_path):
    (tmp_path / "link").symlink_to(Path("home") / "tinyllm")
    (tmp_path / "second").symlink_to("link")
    for name in ("link", "second"):
        path = tmp_path / name / "kind" / "name"
        assert cached(path, never) == path


def test_every_folder_with_a_link_on_the_way_is_checked(entry, tmp_path):
    middle = tmp_path / "middle"
    middle.mkdir()
    (middle / "link").symlink_to(entry.parent)
    (tmp_path / "first").symlink_to(middle / "link")
    path = tmp_path / "first" / "name"
    assert cached(path, never) == path
    middle.chmod(0o777)
    refused(path, match=f"could have written {middle} ")


def test_a_link_into_a_shared_folder_is_refused(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "link").symlink_to(shared)
    shared.chmod(0o777)
    refused(tmp_path / "link" / "kind" / "name", match=f"could have written {tmp_path}")


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_to_nowhere_is_said(tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    refused(tmp_path / "link" / "kind" / "name", match=r"No such file|Too many levels")
