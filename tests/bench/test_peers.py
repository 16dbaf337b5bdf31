"""Peers that can be measured, and the reasons for those that cannot."""

import sys

from tinyllm.bench.peers import Peer, absent, pick_peers, pick_pythons
from tinyllm.bench.presets import FIRST
from tinyllm.bench.rows import read_rows
from tinyllm.cli import main


def test_a_peer_that_is_not_installed_is_reported_and_left_out(capsys, saved, tmp_path):
    peers = {
        "there": Peer(("json",)),
        "not": Peer(("no_such_module", "json"), install="pip install it"),
    }
    (reason,) = absent(peers, "cpu", {}).values()
    assert reason.startswith(
        "not installed (this environment has no no_such_module): pip install it, and --peer-python"
    )
    options = [
        "--prompts",
        "4",
        "--new-tokens",
        "2",
        "--repeats",
        "1",
        "--stages",
        FIRST,
        "--peers",
        "hf",
        "ipex",
    ]
    assert (
        main(["bench", "--model", str(saved), *options, "--json", str(tmp_path / "rows.json")]) == 0
    )
    assert "ipex is left out: not installed" in capsys.readouterr().err
    assert [row.stage for row in read_rows(tmp_path / "rows.json")] == ["hf", FIRST]


def test_a_peer_for_other_devices_is_left_out():
    assert absent(pick_peers(["openvino"]), "cuda", {}) == {
        "openvino": "does not run on cuda: expected one of ['xpu', 'cpu']"
    }


def test_modules_are_found_in_another_environment(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    pythons = pick_pythons([f"ipex={python}"])
    assert pythons == {"ipex": str(python)}
    peers = {"ipex": Peer(("json", "no_such_module", "no_such.module"))}
    assert absent(peers, "cpu", pythons)["ipex"].startswith(
        f"not installed ({python} has no no_such_module, no_such."
    )
    assert absent({"ipex": Peer(("json", "xml.dom"))}, "cpu", pythons) == {}
