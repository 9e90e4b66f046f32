"""Which time passes in a run: that of the world, or a guest's own, in which nothing but waiting takes any."""

import os
import time
from enum import StrEnum

VARIABLE = "MIP6LAB_TIME"
"""Set in the environment of whatever runs in virtual time."""
START = 1_309_478_400
"""When virtual time begins, in seconds since the epoch: the month in which RFC 6275 appeared, July 2011."""
_MARGIN = 1.0


class TimeName(StrEnum):
    """The times that can be asked for."""

    REAL = "real"
    VIRTUAL = "virtual"


def running() -> TimeName:
    """Name the time that passes here."""
    return TimeName(os.environ.get(VARIABLE, TimeName.REAL))


def align() -> None:
    """In virtual time, let everything that has begun come to its end, and go on at a whole second.

    Whatever was done until then may have taken microseconds more or less, by files of the host that others have
    touched, such as what Python compiled; from here on it does not matter.
    """
    if running() is TimeName.VIRTUAL:
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        time.sleep(_MARGIN + 1 - (now + _MARGIN) % 1)
