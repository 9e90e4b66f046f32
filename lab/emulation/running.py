"""The labs that run on this machine, by their control sockets."""

import contextlib
from pathlib import Path

from lab.emulation.leftovers import ROOT

SOCKET = "lab.sock"


def sockets() -> list[Path]:
    """Find the sockets of all labs, as far as this user sees them; the oldest first."""
    with contextlib.suppress(OSError):
        return sorted(ROOT.glob(f"*/*/{SOCKET}"), key=lambda path: path.stat().st_mtime)
    return []


def process_of(socket: Path) -> str:
    """Give the pid of the process whose lab a socket belongs to."""
    return socket.parent.parent.name.partition("-")[0]
