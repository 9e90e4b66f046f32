"""Checkouts on a machine of the class: a stand-in that needs nothing, and a real one that is set up already."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

STAND_IN = """#!/bin/sh
# Does what the word says: good, bad, crash, garbage, slow (its pid is beside this script).
here=$(dirname "$0")
[ "$1" = mip6lab ] || exec "$@"
case "$2 $3" in
"capture "*)
    printf 'pcapng of %s\\000\\377' "$3"
    echo "a complaint" >&2
    exit 0 ;;
"run slow")
    echo $$ >"$here/slow.pid"
    echo "slow begins"
    sleep 600 & wait ;;
"run crash")
    echo "Traceback: it crashed"
    exit 2 ;;
esac
mkdir -p "results/$3/captures"
echo "playing $*"
case "$3" in
good) echo '{"scenario": "good", "ok": true, "error": null, "checks": []}' ;;
bad) echo '{"scenario": "bad", "ok": false, "error": null, "checks": [
    {"id": "rule-a", "verdict": "failed"}, {"id": "rule-b", "verdict": "passed"}]}' ;;
garbage) echo '{"scenario": [' ;;
esac >"results/$3/result.json"
[ "$3" = good ]
"""


def stand_in(folder: Path) -> Path:
    """Make a checkout that only seems to play."""
    script = folder / "lab" / "bootstrap"
    script.parent.mkdir(parents=True)
    script.write_text(STAND_IN, encoding="utf-8")
    script.chmod(0o755)
    return folder


def seeded(folder: Path) -> Path:
    """Prepare a folder so that a checkout which comes into it finds its Python packages, those of this Python, there.

    The code is the checkout's own.
    """
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    scripts = {
        "python": f'PYTHONPATH="{folder}" exec "{sys.executable}" "$@"',
        "mip6lab": f'exec "{programs}/python" -P -m lab.cli.main "$@"',
    }
    for name, line in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"VIRTUAL_ENV={folder / '.venv'}\n", encoding="utf-8")
    command = ["cksum", "requirements.lock", "pyproject.toml"]
    stamp = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    (folder / ".venv" / ".bootstrap").write_bytes(stamp)
    return folder


def change(checkout: Path, file: str, old: str, new: str) -> None:
    """Replace what is there once, as a student would."""
    path = checkout / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
