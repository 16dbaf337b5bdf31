"""Reports of machines: one made by the command on the CPU is read again, and damaged ones are refused."""

import getpass
import json
import platform
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from tinyllm.bench import attention_rows, make_report, report
from tinyllm.bench.machine_path import machine_paths
from tinyllm.bench.make_report import personal_names, without_names
from tinyllm.bench.report import read_report, reported, sender
from tinyllm.check import TABLES, backends
from tinyllm.checkpoint import open_checkpoint
from tinyllm.cli import main
from tinyllm.kernels import by_name

PEOPLE = {"user": "zaphod", "host": "heart-of-gold.example"}


def wrong_norm(x, weight, bias, eps):
    path = f"{Path.home()}/secret models/a.bin"
    raise OSError(f"no such file: '{path}', nor {Path.home()}/other/b.bin on {platform.node()}")


@pytest.fixture(scope="module")
def made(tmp_path_factory, saved):
    """The file, and the exit status of the command; one kernel of two fails. The default model is a small one."""
    folder = tmp_path_factory.mktemp("reports")
    functions = {"rms_norm": backends.rms_norm, "layer_norm": wrong_norm}
    few = [replace(backends.NAIVE, functions=functions)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", f"/home/{PEOPLE['user']}")
        patch.setattr(getpass, "getuser", lambda: PEOPLE["user"])
        patch.setattr(platform, "node", lambda: PEOPLE["host"])
        patch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})
        patch.setattr(backends, "backends", lambda device: few)
        patch.setattr("tinyllm.checkpoint.open_checkpoint", lambda: open_checkpoint(saved))
        patch.setattr(attention_rows, "PROMPT", 16)
        patch.setattr(attention_rows, "COLD_BYTES", {"cpu": 1})
        few_tokens = make_report.LADDER.changed(prompts=(8,), new_tokens=2)
        patch.setattr(make_report, "LADDER", few_tokens)
        patch.setattr(make_report, "REPEATS", 1)
        patch.chdir(folder)
        status = main(["report", "--device", "cpu", "zaphod_cpu.json"])
    return folder / "zaphod_cpu.json", status


def test_the_command_writes_what_the_reader_accepts(made):
    path, status = made
    found = read_report(path)
    assert status == 1 and [one.operation for one in found.wrong] == ["layer_norm"]
    assert found.errors == []
    assert found.machine.paths == machine_paths(torch.device("cpu"))
    assert all(row.path for row in found.ladder)
    assert found.machine.kind == "cpu" and found.machine.memory_bytes > 1e8
    assert "torch" in found.versions
    norm = found.checks[0]
    assert (norm.total, norm.of_table) == (4, 3 * len(TABLES["rms_norm"].cases))
    assert list(found.seconds) == [
        "2 of 4: kernels and stages",
        "3 of 4: every stage and transformers",
        "4 of 4: attention",
    ]
    assert all(seconds > 0 for seconds in found.seconds.values())
    stages = [one for one in found.checks if one.kernels == "stage"]
    assert len(stages) == 5 and all(one.passed == one.total for one in stages)
    named = {(row.stage, row.num_beams) for row in found.ladder}
    assert {("hf", 1), ("final", 4)} <= named
    assert all(row.first_difference is None for row in found.ladder if row.dtype == "float32")
    assert [(row.shape, row.beams) for row in found.attention] == [
        (shape, beams) for shape in attention_rows.SHAPES for beams in attention_rows.BEAMS
    ]


def test_a_report_names_no_person_machine_or_folder(made):
    text = made[0].read_text()
    assert "no such file: '...a.bin', nor ...b.bin on HOST" in text
    for name in (
        *PEOPLE.values(),
        "heart-of-gold",
        "secret",
        str(Path.home()),
        str(made[0].parent),
    ):
        assert name not in text
    assert str(Path.cwd()) not in text and str(Path(torch.__file__).parent) not in text


@pytest.mark.parametrize(
    "text, kept",
    [
        ("in /a/b/model.gguf: 3 GB/s", "in ...model.gguf: 3 GB/s"),
        (r"C:\work\Jane\x.dll not found", "...x.dll not found"),
        ("a | b <script>\nnext", "a ? b ?script? next"),
    ],
)
def test_paths_and_markup_are_taken_out(text, kept):
    assert without_names(text) == kept


def test_names_inside_of_words_stay(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "arc")
    assert "arc" in personal_names()
    assert without_names("arc searches") == "USER searches"


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda r: r.pop("machine"), "report has no 'machine'"),
        (lambda r: r.update(owner="me"), "report has a field 'owner' that no report has"),
        (lambda r: r.update(format="tinyllm report 9"), "report.format is 'tinyllm report 9'"),
        (lambda r: r.update(date="yesterday"), "Invalid isoformat"),
        (lambda r: r["machine"].update(kind="tpu"), "report.machine.kind is 'tpu'"),
        (lambda r: r["machine"].update(read_gb_s="fast"), "read_gb_s is 'fast': expected float"),
        (lambda r: r["machine"].update(read_gb_s=float("nan")), "expected a finite number"),
        (lambda r: r["machine"].update(cores=True), "cores is True: expected int"),
        (lambda r: r["machine"].update(cpu="a | b"), "expected one line of at most"),
        (lambda r: r["machine"].update(cpu="[x](http://y)"), "expected one line of at most"),
        (lambda r: r.update(ladder={}), "report.ladder is {}: expected list"),
        (lambda r: r["ladder"][0].pop("stage"), r"report.ladder\[0\] has no 'stage'"),
        (lambda r: r["ladder"][1].update(next_token_ms=-1.0), "next_token_ms is -1.0"),
        (lambda r: r["ladder"][0].update(tokens_per_s=1e9), "does not fit to next_token_ms"),
        (lambda r: r["ladder"][0].update(device="another"), "is of another device"),
        (lambda r: r["checks"][0].update(passed=0), r"report.checks\[0\]: 0 of"),
        (lambda r: r["checks"][0].update(of_table=1), r"report.checks\[0\]: 4 of 1 cases"),
        (lambda r: r["seconds"].update(x="long"), r"report.seconds.x is 'long': expected float"),
        (lambda r: r["attention"][0].update(us={"ours": 0}), "expected times larger than 0"),
        (lambda r: r["attention"].insert(0, 3), r"report.attention\[0\] is 3: expected an object"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(made, tmp_path, damage, message):
    data = json.loads(made[0].read_text())
    damage(data)
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=rf"^damaged.json: not a report .*{message}"):
        read_report(path)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100000, '{"format": 1', "null"])
def test_what_is_no_report_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^other.json: not a report of"):
        read_report(path)


def test_reports_of_a_folder_have_the_names_of_their_senders(made):
    (name,) = reported(made[0].parent)
    assert name == "zaphod_cpu" and sender(name) == "zaphod"


def test_every_committed_report_is_valid():
    assert all(one.format == report.FORMAT for one in reported().values())


def test_a_part_that_fails_is_recorded_and_the_others_follow(monkeypatch, tmp_path):
    monkeypatch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})
    for name in ("checks", "add_ladder"):
        monkeypatch.setattr(make_report, name, lambda *arguments: 1 / 0)
    monkeypatch.setattr(make_report, "add_attention", lambda made, device: None)
    made = make_report.make_report(torch.device("cpu"), None, None)
    assert [one.error for one in made.errors] == ["ZeroDivisionError: division by zero"] * 2
    report.write_report(made, tmp_path / "report.json")
    assert asdict(read_report(tmp_path / "report.json")) == asdict(made)


def test_a_device_that_cannot_be_measured_is_a_clear_error(monkeypatch):
    def fails(device):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(make_report, "measure_machine", fails)
    with pytest.raises(ValueError, match="bandwidth of cpu could not be measured: out of memory"):
        make_report.make_report(torch.device("cpu"), None, None)


def test_a_wrong_attention_is_an_error(monkeypatch):
    monkeypatch.setattr(attention_rows, "PROMPT", 16)
    monkeypatch.setattr(attention_rows, "COLD_BYTES", {"cpu": 1})
    kernels = by_name("torch")
    good = kernels.segment_attention
    monkeypatch.setattr(type(kernels), "segment_attention", lambda self, *a, **k: good(*a, **k) + 1)
    with pytest.raises(ValueError, match="attention of llama-2-7b, 1 beams, is off by"):
        next(attention_rows.attention_rows(torch.device("cpu")))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none/report.json"], "none/report.json: expected a file in a folder that exists"),
        (["there.json"], "there.json exists: name another file, or pass --force"),
        (["x.json", "--device", "tpu"], "device 'tpu' is unknown"),
    ],
)
def test_wrong_use_is_an_error_before_anything_is_measured(
    capsys, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path("there.json").write_text("{}")
    monkeypatch.setattr(make_report, "make_report", None)
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err
