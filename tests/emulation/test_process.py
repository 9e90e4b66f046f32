"""Priorities of what the lab runs."""

import os

from lab.emulation.process import MEASURING, SERVING, hastened


def test_what_measures_comes_before_what_is_measured() -> None:
    assert MEASURING > SERVING


def test_a_thread_that_was_hastened_is_as_before() -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    with hastened():
        # A machine may forbid it.
        assert os.sched_getscheduler(0) in (os.SCHED_RR, before[0])
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before
