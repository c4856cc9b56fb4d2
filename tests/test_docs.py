"""The site builds without a broken link, and what it says to type works."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from scenarios.command.cli import main
from scenarios.results.table import Table

ROOT = Path(__file__).parents[1]
SMALLER = {"n=4, size=256": "n=1, size=128", "[0, 5, 10]": "[10]"}
COMMANDS = re.compile(r"^    (?:python -m )?semcom ([^\n]+)$", re.MULTILINE)


def blocks(name: str) -> list[str]:
    """Python code of a page, made quicker."""
    found = re.findall(r"^```python\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.M | re.S)
    for before, after in SMALLER.items():
        found = [block.replace(before, after) for block in found]
    return found


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    reference = (tmp_path / "reference" / "scenarios" / "index.html").read_text("utf-8")
    assert "Compare codecs over links across SNR" in reference
    assert "<blockquote>" not in reference
    pages = [page.read_text("utf-8") for page in tmp_path.rglob("*.html")]
    assert not [page for page in pages if re.search(r":(func|class|meth|mod):", page)]


def test_the_tutorials_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("docs/tutorial.md"):
        exec(compile(block, "tutorial", "exec"), names)
    plt.close("all")
    assert (tmp_path / "roi_psnr.png").stat().st_size > 0


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/tutorial.md"])
def test_every_command_and_option_named_exists(page: str) -> None:
    from typer.main import get_command

    from scenarios.command.cli import app

    for line in COMMANDS.findall((ROOT / page).read_text("utf-8")):
        command, words = get_command(app), line.split("#")[0].split()
        while hasattr(command, "commands"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_tables_of_results_are_what_the_files_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ``python docs/tables.py`` where it fails."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    made = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    tables = made["measured"]()
    assert (ROOT / "docs" / "results.md").read_text("utf-8") == made["page"](tables)
    assert (ROOT / "README.md").read_text("utf-8") == made["readme"](tables)
    assert (ROOT / "docs" / "dmic.md").read_text("utf-8") == made["dmic"]()
    assert (ROOT / "docs" / "generative.md").read_text("utf-8") == made["generative"]()
    assert (ROOT / "docs" / "baseline.md").read_text("utf-8") == made["baseline"]()


def test_a_codec_and_a_channel_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "your_own.md").read_text("utf-8")
    files: dict[str, str] = {}
    for name, code in re.findall(r'^```python title="(.*?)"\n(.*?)^```$', page, re.M | re.S):
        files[name] = files.get(name, "") + code
    codec = files["mine.py"].split("class Mine")[1].split("from sionna")[0]
    assert sum(bool(line) for line in codec.splitlines()) <= 20
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(files.pop("mine.py"), "utf-8")
    smaller = {
        "n=100, size=256": "n=12, size=128",
        "steps=2000": "steps=4",
        "range(20)": "range(2)",
    }
    for name, code in files.items():
        for before, after in smaller.items():
            code = code.replace(before, after)
        exec(compile(code, name, "exec"), {})
    assert (tmp_path / "runs" / "mine" / "mine.safetensors").exists()
    (command,) = re.findall(r"^    semcom (run snr .*)$", page, re.M)
    smaller_run = "--limit 1 --size 64 --snr 10:10:1 --workers 1 --out results"
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), *smaller_run.split()])
    assert ended.value.code == 0
    compared = Table.load(tmp_path / "results" / "results.parquet").frame
    assert set(compared["codec"]) == {"mine", "lossless", "deepjscc", "hevc-ldpc"}
    assert set(compared["link"]) == {"ntn-tdl-c", "street"}
