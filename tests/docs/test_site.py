"""The site of the documents is built without a warning, and has all of them."""

import subprocess
import sys
from pathlib import Path

from lab.cli.main import COMMANDS
from tests.docs.markdown import ROOT


def test_the_site_is_built(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, check=False, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")
    for document in (ROOT / "docs").rglob("*.md"):
        assert (tmp_path / "site" / document.relative_to(ROOT / "docs")).with_suffix(".html").is_file(), document
    commands = (tmp_path / "site" / "commands.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"usage: mip6lab {name}" in commands
    first = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "Ideas of Mobile IPv6" in first
    assert (tmp_path / "site" / "_images" / "handover.svg").is_file()
