"""The plane `kernel` in the guest kernel, which has Mobile IPv6: its tests, which skip elsewhere, are run there."""

import subprocess
import sys

from tests.guest.guests import PROGRAM, environment, needs_guest
from tests.lab.networks import ROOT

pytestmark = needs_guest

OPTIONS = ["-p", "no:cacheprovider", "--no-cov", "-q", "-rs", "-k", "kernel or xfrm"]
TESTS = [f"tests/plane/test_{name}.py" for name in ("kernel_octets", "tunnels", "dhcpv6", "xfrm_live")]
WITHIN = 600.0


def test_tests_of_the_plane_pass_there() -> None:
    done = subprocess.run(
        [*PROGRAM, "--", sys.executable, "-m", "pytest", *OPTIONS, *TESTS],
        cwd=ROOT,
        env=environment(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "SKIPPED" not in done.stdout
