"""The plane `kernel` in the guest kernel, which has Mobile IPv6: its tests, which skip elsewhere, are run there."""

import subprocess
import sys

from tests.guest.guests import PROGRAM, environment, needs_guest
from tests.lab.networks import ROOT

pytestmark = needs_guest

OPTIONS = ["-p", "no:cacheprovider", "--no-cov", "-q", "-rs", "-k", "kernel or xfrm"]
OF_TUNNELS = ("a_mobile_node_s_own_programs_learn_what_fits", "each_tunnel_of_one_address_has_a_path_of_its_own")
TESTS = [
    "tests/plane/test_kernel_octets.py",
    "tests/plane/test_xfrm_live.py",
    "tests/plane/test_kernel_wanted.py::test_the_largest_programs_fit_beside_each_other",
    *(f"tests/plane/test_tunnels.py::test_{name}" for name in OF_TUNNELS),
]
"""What must be tried there; others of `tests/plane`, which pass there as well, take a guest minutes."""
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
