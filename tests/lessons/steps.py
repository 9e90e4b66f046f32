"""The steps of a lesson, as its page tells them, played by whoever types."""

import subprocess
import sys
from pathlib import Path

from lab.report.sheets import LESSONS, STEPS
from tests.docs.markdown import ROOT, Document, commands_of

COMMAND = [sys.executable, "-m", "lab.cli.main"]


def play(lesson: str, directory: Path) -> str:
    """Bring the network of a page up, type its lines at the prompt, and keep what it leaves in a folder."""
    page = Document(ROOT / LESSONS / f"{lesson}.md")
    bring_up = next(commands_of(page.block("sh", STEPS)))
    bring_up[bring_up.index("--out") + 1] = str(directory)
    typed = page.block("text", STEPS)
    done = subprocess.run(
        [*COMMAND, *bring_up], input=typed, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
