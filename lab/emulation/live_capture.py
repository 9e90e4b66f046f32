"""What a link of a running lab carries, for another process: its capture from the beginning, and then as it grows."""

import time
from collections.abc import Callable
from pathlib import Path

from lab.emulation import leftovers
from lab.errors import MissingError

CAPTURES = "captures"
"""The folder of captures within that of a network, or a symbolic link to where they are kept."""
_INTERVAL = 0.05


def find(link: str) -> Path:
    """Find the capture of a link, of the lab that was brought up last; raises `MissingError`."""
    running = [path for folder in leftovers.live_folders() for path in sorted(folder.glob(f"*/{CAPTURES}/*.pcapng"))]
    if not running:
        raise MissingError("no lab runs in this kernel: mip6lab up two_visited_links, in another terminal")
    of_link = [path for path in running if path.stem == link]
    if not of_link:
        raise MissingError(f"no running lab has a link {link}; links: {', '.join(sorted({it.stem for it in running}))}")
    return max(of_link, key=lambda path: leftovers.started(path.parents[2]))


def follow(capture: Path, write: Callable[[bytes], object]) -> None:
    """Pass on a capture as it grows, until its lab has ended."""
    network = capture.parents[1]
    with open(capture, "rb") as file:
        while True:
            lives = network.exists() and leftovers.is_live(network.parent)
            while octets := file.read(1 << 16):
                write(octets)
            if not lives:
                return
            time.sleep(_INTERVAL)
