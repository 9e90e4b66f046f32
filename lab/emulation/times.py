"""Which time passes in a run: that of the world, or a guest's own, in which nothing but waiting takes any."""

import os
from enum import StrEnum

VARIABLE = "MIP6LAB_TIME"
"""Set in the environment of whatever runs in virtual time."""
START = 1_309_478_400
"""When virtual time begins, in seconds since the epoch: the month in which RFC 6275 appeared, July 2011."""


class TimeName(StrEnum):
    """The times that can be asked for."""

    REAL = "real"
    VIRTUAL = "virtual"


def running() -> TimeName:
    """Name the time that passes here."""
    return TimeName(os.environ.get(VARIABLE, TimeName.REAL))
