"""Reports in a folder become rows of the README and sections of the page of results."""

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tinyllm.bench.attention_rows import AttentionRow
from tinyllm.bench.machine_facts import DeviceFacts, MachineFacts
from tinyllm.bench.report import FORMAT, CheckRow, PartError, Report, write_report
from tinyllm.bench.rows import read_rows

BOOK = Path(__file__).parents[2] / "book"
sys.path.insert(0, str(BOOK))

import bench_tables  # noqa: E402
import report_tables  # noqa: E402

NAME = "Intel(R) Arc(TM) B580 Graphics"


@pytest.fixture
def xpu(tmp_path):
    """A folder with what a report of an XPU would be, made of the recorded rows of a CPU."""
    facts = [DeviceFacts("xpu", NAME, {"driver_version": "1.6.33276"})]
    limits = {"read_gb_s": 400.0, "copy_gb_s": 380.0, "launch_us": 9.0}
    machine = MachineFacts("xpu", NAME, facts, "Some CPU", 8, 1 << 34, "Windows 11", {}, **limits)
    rows = [replace(row, device=NAME) for row in read_rows(BOOK / "results" / "latency-cpu.json")]
    rows = [row for row in rows if row.prompt_tokens == 128 and row.num_answers is None]
    checks = [
        CheckRow("triton", "linear", 3, 3, 9, 1e-6, None, 12.0, 300.0),
        CheckRow("triton", "rms_norm", 2, 3, 3, 1.0, "element is wrong"),
    ]
    us = {"ours": 50.0, "expanded": 100.0}
    attention = [AttentionRow("llama-2-7b", "triton", "bfloat16", 4, 1024, 64, 10**7, us)]
    made = Report(FORMAT, "2026-11-28", machine, {"torch": "2.13.0+xpu"}, checks, rows, attention)
    made.errors.append(PartError("4 of 4", "a part failed"))
    write_report(made, tmp_path / "someone_b580.json")
    return tmp_path


def test_an_xpu_becomes_rows_of_the_readme(xpu):
    lines = report_tables.headline(xpu)
    assert [re.search(r"greedy|4 beams", line)[0] for line in lines] == ["greedy", "4 beams"]
    where = f"| {NAME} (XPU, reported by someone) |"
    assert all(where in line for line in lines)
    for line in lines:
        assert line in bench_tables.headline(lines).split("\n")


def test_an_xpu_becomes_a_section_of_the_results(xpu):
    text = report_tables.reports(xpu)
    assert text.startswith(f"**{NAME}** (XPU, reported by someone), 2026-11-28: 400.0 GB/s read")
    for part in (
        "driver 1.6.33276",
        "torch 2.13.0+xpu",
        "triton 1 of 2 (6 of 12 cases)",
        "a part failed",
        "50%",
    ):
        assert part in text
    assert report_tables.NONE not in text


def test_another_device_is_no_xpu(xpu):
    path = xpu / "someone_b580.json"
    data = json.loads(path.read_text())
    data["machine"]["kind"] = "cpu"
    path.write_text(json.dumps(data))
    assert report_tables.headline(xpu) == []
    text = report_tables.reports(xpu)
    assert text.startswith(report_tables.NONE) and "(CPU, reported by someone)" in text


def test_without_reports_there_is_a_sentence(tmp_path):
    assert report_tables.headline(tmp_path) == []
    assert report_tables.reports(tmp_path) == report_tables.NONE


@pytest.mark.parametrize("name", ["a b", "x.y", "a_b_c", "a|b"])
def test_a_file_without_a_name_of_a_sender_is_refused(xpu, name):
    (xpu / "someone_b580.json").rename(xpu / f"{name}.json")
    with pytest.raises(ValueError, match=r"expected NAME.json or NAME_b580.json"):
        report_tables.reports(xpu)


def test_what_to_expect_is_the_limit_over_a_share():
    b580, tile = report_tables.intel_gpus()[3], report_tables.intel_gpus()[0]
    assert b580.name == "Arc B580"
    config = report_tables.known_config("llama-2-7b")
    assert report_tables.expected(b580, config, 2) == "does not fit"
    low, high, limit = map(float, re.findall(r"[\d.]+", report_tables.expected(tile, config, 2)))
    assert limit == pytest.approx(13.3e9 / tile.bandwidth * 1e3, rel=0.03)
    assert (low, high) == (pytest.approx(limit / 0.9, 0.02), pytest.approx(limit / 0.6, 0.02))


def test_the_page_names_public_addresses_and_existing_commands():
    page = (BOOK / "report.md").read_text()
    hosts = set(re.findall(r"https?://([^/)\s]+)", page))
    assert hosts == {"docs.pytorch.org", "www.intel.com"}
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page)
    assert links and all((BOOK / link).exists() for link in links)
    assert set(re.findall(r"python -m tinyllm (\w+)", page)) == {
        "bench",
        "check",
        "generate",
        "report",
    }


def test_asdict_of_a_report_has_no_further_keys(xpu):
    path = xpu / "someone_b580.json"
    (found,) = report_tables.reported(xpu).values()
    assert asdict(found) == json.loads(path.read_text())
