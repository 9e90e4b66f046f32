"""How much time passed while nobody counted: between two runs of a daemon, perhaps with a reboot between them."""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.engine.io import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the clocks of a machine show at one instant."""

    boot: str
    """Names this run of the kernel."""
    uptime: float
    """Seconds since it began, those of its sleep too; nobody can set this clock."""
    wall: float
    """Seconds since the epoch, as far as the machine knows."""
    monotonic: Instant
    """The engine's clock, which says nothing to another process after a reboot."""


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read() -> Reading:
    """Read the clocks of this machine."""
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Reading(boot=_boot(), uptime=uptime, wall=time.time(), monotonic=time.monotonic())


def elapsed(then: Reading, now: Reading) -> float | None:
    """Give the seconds between two readings; None if the clocks cannot tell.

    Without a reboot no clock that somebody set is asked. After one there is only the wall clock, and it is not believed
    if by it less time passed than this boot is old: it was set back, or the machine has none that runs while it is off.
    Set back by no more than the machine was off, or set forward, it cannot be told from one that is right.
    """
    if then.boot == now.boot:
        return max(now.uptime - then.uptime, 0.0)
    passed = now.wall - then.wall
    return passed if passed >= now.uptime else None
