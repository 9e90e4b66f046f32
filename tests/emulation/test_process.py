"""Priorities of what the lab runs, and what it has used."""

import os
import subprocess
import sys

from lab.emulation.process import MEASURING, SERVING, hastened, used_by


def test_what_measures_comes_before_what_is_measured() -> None:
    assert MEASURING > SERVING


def test_a_thread_that_was_hastened_is_as_before() -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    with hastened():
        # A machine may forbid it.
        assert os.sched_getscheduler(0) in (os.SCHED_RR, before[0])
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before


WORK = """
import time
input()
kept = bytearray(b"x" * (1 << 24))
while time.process_time() < 0.1:
    pass
print("done", flush=True)
input()
"""


def test_what_a_process_has_used() -> None:
    command = [sys.executable, "-I", "-S", "-c", WORK]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = used_by(process.pid)
        process.stdin.write("begin\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        after = used_by(process.pid)
        process.stdin.write("end\n")
        process.stdin.flush()
    assert after.memory - before.memory > 1 << 23
    assert after.cpu > before.cpu
