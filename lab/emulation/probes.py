"""What the kernel can do, found by trying it; run by `doctor` inside a network namespace that is thrown away.

Prints one JSON object: each name of `PROBES` with null, or with the kernel's reason why not.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab.daemon.config import PlaneName
from lab.daemon.sockets import MobilityReceiver, Sender
from lab.errors import Mip6LabError
from lab.netlink import Netlink
from lab.plane.bpf import programs
from lab.plane.kernel import probe as of_kernel
from lab.plane.tun import Tun

Probe = Callable[[], None]
_ENDS = ["src", "2001:db8::1", "dst", "2001:db8::2"]


def veth() -> None:
    """Make a pair of interfaces."""
    with Netlink() as netlink:
        netlink.create_veth("probe0", "probe1")


def bridge() -> None:
    """Make a bridge, which is what a link of the lab is."""
    with Netlink() as netlink:
        netlink.create_bridge("probe2")


def tun() -> None:
    """Make the device that the plane `user` routes the home address to."""
    Tun("probe3").close()


def raw_sockets() -> None:
    """Open what sends whole packets."""
    Sender().close()


def mobility_filter() -> None:
    """Hide mobility from the kernel by nftables and take it by a filtered packet socket."""
    with Netlink() as netlink:
        MobilityReceiver(netlink, "mip6lab_probe").close()


def mip6() -> None:
    """Use RFC 6275's headers in the kernel."""
    _run("ip", "xfrm", "state", "add", *_ENDS, "proto", "route2", "mode", "ro", "coa", "2001:db8::3")


def ip6_tunnel() -> None:
    """Make a tunnel in the kernel."""
    _run("ip", "link", "add", "probe4", "type", "ip6tnl", "mode", "ip6ip6", "local", "::1", "remote", "2001:db8::2")


def esp6() -> None:
    """Use ESP in the kernel, with AES and SHA-1."""
    keys = ["auth", "hmac(sha1)", f"0x{'01' * 20}", "enc", "cbc(aes)", f"0x{'02' * 16}"]
    _run("ip", "xfrm", "state", "add", *_ENDS, "proto", "esp", "spi", "0x100", "mode", "transport", *keys)


def netem() -> None:
    """Delay packets of a link."""
    _run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")


def optimistic_dad() -> None:
    """Look for optimistic addresses, RFC 4429."""
    Path("/proc/sys/net/ipv6/conf/lo/optimistic_dad").read_text(encoding="ascii")


def bpf() -> None:
    """Load the programs of the plane `bpf`, and attach one."""
    programs.probe()


def kernel_plane() -> None:
    """Make one of each thing that the plane `kernel` is made of."""
    of_kernel.probe()


NEEDED = (veth, bridge, tun, raw_sockets, mobility_filter)
"""Without these no network can be brought up."""
OF_PLANES: dict[PlaneName, Probe] = {PlaneName.BPF: bpf, PlaneName.KERNEL: kernel_plane}
"""What a data plane needs beyond that."""
PROBES: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        *NEEDED,
        optimistic_dad,
        bpf,
        netem,
        ip6_tunnel,
        esp6,
        mip6,
        kernel_plane,
    )
}


def attempt(probe: Probe) -> str | None:
    """Try one; give the reason why not, None if it works."""
    try:
        probe()
    except (Mip6LabError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise OSError(done.stderr.strip().removeprefix("Error: ").rstrip("."))


if __name__ == "__main__":
    json.dump({name: attempt(probe) for name, probe in PROBES.items()}, sys.stdout)
