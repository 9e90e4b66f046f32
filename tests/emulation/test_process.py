"""Priorities of what the lab runs, and what it has used."""

import os

from lab.emulation.process import MEASURING, SERVING, hastened, used_by


def test_what_measures_comes_before_what_is_measured() -> None:
    assert MEASURING > SERVING


def test_a_thread_that_was_hastened_is_as_before() -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    with hastened():
        # A machine may forbid it.
        assert os.sched_getscheduler(0) in (os.SCHED_RR, before[0])
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before


def test_what_a_process_has_used() -> None:
    before = used_by(os.getpid())
    kept = bytearray(os.urandom(1 << 24))
    after = used_by(os.getpid())
    assert after.memory - before.memory > len(kept) / 2
    assert after.cpu > before.cpu > 0
