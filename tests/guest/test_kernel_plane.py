"""The plane `kernel` in the guest kernel, which has Mobile IPv6."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUEST = "lab.emulation.guest"
TESTS = ["test_kernel_octets.py", "test_xfrm_live.py", "test_tunnels.py"]
WITHIN = 600.0


def why_not() -> str | None:
    if importlib.util.find_spec(GUEST) is None:
        return f"{GUEST} is not there"
    if shutil.which("linux.uml") is None:
        return "linux.uml is missing: install the package user-mode-linux"
    return None


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_what_a_kernel_with_mobile_ipv6_does() -> None:
    inside = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-k", "kernel or xfrm"]
    command = [sys.executable, "-m", GUEST, "--", *inside, *(f"tests/plane/{name}" for name in TESTS)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
