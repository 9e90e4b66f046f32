"""`lab/bootstrap` on a fresh system of each release, made by debootstrap, as on a new Vagrant machine; on request."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.remote.parcel import files_of
from tests.remote.checkouts import ROOT

RELEASES = [release for release in os.environ.get("MIP6LAB_PROVISION", "").split(",") if release]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PATIENCE = 1800.0

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(not RELEASES, reason="takes minutes: MIP6LAB_PROVISION=bookworm,trixie asks for it"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="needs debootstrap"),
]

# In namespaces of its own: nothing is mounted any more once it has ended, and no process is left.
INSIDE = """
set -e
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
mount -t sysfs sys "$0/sys"
mount -t tmpfs tmpfs "$0/run"
exec chroot "$0" "$@"
"""


@pytest.mark.parametrize("release", RELEASES)
def test_a_fresh_system_is_set_up_and_plays(release: str, tmp_path: Path) -> None:
    fresh = tmp_path / release
    subprocess.run(["debootstrap", "--variant=minbase", release, str(fresh)], check=True, timeout=PATIENCE)
    for name, path in files_of(ROOT).items():
        (fresh / "root" / "mip6lab" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, fresh / "root" / "mip6lab" / name)
    for file in ("/etc/hosts", "/etc/resolv.conf"):
        shutil.copy(file, fresh / "etc")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    if CERTIFICATES.exists():  # those of a proxy may be among them
        shutil.copy(CERTIFICATES, fresh / "root" / "certificates")
        environment["PIP_CERT"] = "/root/certificates"
    words = ["/root/mip6lab/lab/bootstrap", "mip6lab", "run", "handover"]
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, str(fresh), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "making .venv with Python 3" in done.stderr
    shutil.rmtree(fresh)
