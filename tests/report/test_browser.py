"""The page as a browser shows it: on a phone and on a projector, nothing sticks out, and messages open."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.report import streams
from lab.report.html import write
from tests.report.played import captures, network, records, stream
from tests.report.results import hostile_records, hostile_result

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--enable-logging=stderr", "--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom"),
)
FRAME = """<!doctype html><meta charset="utf-8">
<iframe src="{name}" style="border: 0; width: {width}px; height: 900px"></iframe>
<script>
addEventListener("load", () => {{
  const inside = document.querySelector("iframe").contentDocument;
  const root = inside.documentElement;
  const message = inside.querySelector(".ladder details");
  const shown = () => message !== null && message.querySelector(".opened").checkVisibility();
  const seen = {{ width: root.clientWidth, needs: root.scrollWidth, before: shown() }};
  if (message !== null) message.querySelector("summary").click();
  document.body.textContent = JSON.stringify({{ ...seen, after: shown(), needs_open: root.scrollWidth }});
}});
</script>
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@dataclass(frozen=True)
class Look:
    """What a browser made of a page."""

    seen: dict[str, Any]
    console: list[str]


def look(page: Path, width: int, profile: Path) -> Look:
    """Show a page in a window so many pixels wide, and click its first message."""
    assert CHROMIUM is not None
    outer = page.with_name("frame.html")
    outer.write_text(FRAME.format(name=page.name, width=width), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--window-size=1400,1000", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    (body,) = re.findall(r"<body>(.*?)</body>", done.stdout, flags=re.DOTALL)
    return Look(json.loads(html.unescape(body)), [line for line in done.stderr.splitlines() if "CONSOLE" in line])


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "streams").mkdir()
    streams.write(tmp_path / "streams" / "cn-mn.csv", stream())
    return write(tmp_path, network(), records(), captures())


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_and_its_messages_open(report: Path, width: int, tmp_path: Path) -> None:
    look_ = look(report, width, tmp_path / "profile")
    assert look_.console == []
    assert look_.seen["width"] == look_.seen["needs"] == look_.seen["needs_open"] == width
    assert (look_.seen["before"], look_.seen["after"]) == (False, True)


def test_whatever_names_are_in_it(tmp_path: Path) -> None:
    look_ = look(write(tmp_path, hostile_result(), hostile_records()), 390, tmp_path / "profile")
    assert look_.console == []
    assert look_.seen["needs"] == 390


def test_what_sticks_out_and_what_goes_wrong_is_seen(tmp_path: Path) -> None:
    """So that the tests above can fail."""
    page = tmp_path / "wide.html"
    page.write_text('<div style="width: 2000px">wide</div><script>console.error("amiss")</script>', encoding="utf-8")
    look_ = look(page, 390, tmp_path / "profile")
    assert look_.seen["needs"] >= 2000
    assert "amiss" in "".join(look_.console)
