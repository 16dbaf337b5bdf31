"""What tests of the cache folder share: makers of what is kept, and what a refusal is."""

import os
import stat

import pytest

from tinyllm.kernels.file_cache import cached, temporary_folder

OTHER_UID = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def content(path):
    path.write_text("content")


def description(path):
    (path / "inner").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "inner" / "tokenizer.json").write_text("[]")


def never(path):
    raise AssertionError("made again")


def is_private(path):
    mode = path.lstat().st_mode
    return stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600)


def refused(path, match, make=content, **options):
    """Made in the temporary folder, with a warning that comes once."""
    with pytest.warns(UserWarning, match=match):
        kept = cached(path, make, **options)
    assert kept == temporary_folder() / path.parent.name / path.name
    assert kept.read_text() == "content"
    assert cached(path, make, **options) == kept
