"""Take pictures of the live page in Chromium while a mobile node moves, as PNG.

lab/bootstrap python -m docs.live_picture docs/live.png docs/live-phone.png
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.lab.session import PROMPT, Session
from tests.web.browser import Browser, Page

COLOURS = 220
"""More would not be seen."""
AFTER = 1.9
"""Seconds from the move on, when tests of return routability are under way on the page."""


def main() -> int:
    """Bring a lab up, let a stream run, move, and take one picture in the light and one on a phone in the dark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wide", type=Path)
    parser.add_argument("narrow", type=Path)
    args = parser.parse_args()
    command = [sys.executable, "-m", "lab.cli.main", "up", "two_visited_links", "--web", "--web-bind", "127.0.0.1:0"]
    lab = Session(command, {})
    try:
        (drive,) = (word for word in lab.hear(until=PROMPT).split() if "#token=" in word)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Browser(Path(folder) / "p") as browser:
            lab.ask("stream cn mn every=20ms")
            for address, picture, width, dark in ((drive, args.wide, 1280, False), (drive, args.narrow, 390, True)):
                page = browser.open(address, width=width, height=960, dark=dark)
                page.until("document.querySelectorAll('.run').length >= 3")
                page.until("document.querySelector('.delay').getAttribute('d').length > 100")
                lab.ask("move mn visited1" if page.run("innerWidth") == 1280 else "move mn visited2")
                time.sleep(AFTER)
                _take(page, picture)
                browser.close_pages()
        return lab.end()
    finally:
        lab.close()


def _take(page: Page, picture: Path) -> None:
    page.screenshot(picture, whole=False)
    Image.open(picture).quantize(COLOURS).save(picture, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
