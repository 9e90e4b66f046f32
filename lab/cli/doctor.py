"""Say what this machine can do for the lab, what is missing, what that costs, and how to get it.

The kernel is tried, not asked, in a network namespace that is thrown away. The exit status is 0 if the data plane
`user`, and with it every scenario so far, works here, or in a guest kernel.
"""

import argparse
import errno
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from importlib import metadata

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.common import console
from lab.daemon.config import PlaneName
from lab.daemon.planes import choose as choose_plane
from lab.emulation import guest, time_travel
from lab.emulation.kernels import KernelName, choose, needs
from lab.emulation.namespace import Namespace
from lab.errors import GuestError, MissingError

EXAMPLES = """examples:
  mip6lab doctor
  mip6lab doctor --json                  for programs
  sudo lab/bootstrap mip6lab doctor      try also what only root can try
"""


class State(StrEnum):
    """What was found out about one thing."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that the lab can use, what its absence costs, and how to get it."""

    name: str
    cost: str
    remedy: str
    needed: bool = False
    """Nothing works without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A need, looked into."""

    area: str
    need: Need
    state: State
    detail: str = ""


_NO_PERMISSION = (os.strerror(errno.EPERM), os.strerror(errno.EACCES))
AS_ROOT = "sudo lab/bootstrap mip6lab doctor"
NO_NETWORK = "no network can be brought up"
NO_USER_PLANE = "no data plane works"
OTHER_KERNEL = "a kernel that has it (Debian's and Ubuntu's do)"
KERNEL = {
    "veth": Need(name="veth", cost=NO_NETWORK, remedy=f"modprobe veth, or {OTHER_KERNEL}", needed=True),
    "bridge": Need(name="bridge", cost=NO_NETWORK, remedy=f"modprobe bridge, or {OTHER_KERNEL}", needed=True),
    "tun": Need(
        name="TUN", cost=NO_USER_PLANE, remedy="modprobe tun; in a container, give it /dev/net/tun", needed=True
    ),
    "raw_sockets": Need(name="raw sockets", cost=NO_USER_PLANE, remedy="CAP_NET_RAW", needed=True),
    "mobility_filter": Need(
        name="nftables (fib) and packet sockets",
        cost=NO_USER_PLANE,
        remedy="modprobe nft_fib_ipv6; install nftables",
        needed=True,
    ),
    "optimistic_dad": Need(
        name="optimistic DAD",
        cost="nothing: the daemon does Duplicate Address Detection itself",
        remedy=OTHER_KERNEL,
    ),
    "bpf": Need(
        name="BPF",
        cost="the plane bpf, a multiple of the speed of user, which carries packets instead",
        remedy="Linux 6.6 or later, or 5.10 with cls_bpf",
    ),
    "netem": Need(
        name="netem",
        cost="links have no delay and no loss",
        remedy=f"modprobe sch_netem, {OTHER_KERNEL}, or --kernel guest",
    ),
    "ip6_tunnel": Need(
        name="IPv6 tunnels", cost="the plane kernel, by which the others are judged", remedy=OTHER_KERNEL
    ),
    "esp6": Need(name="ESP for IPv6", cost="nothing yet; IPsec by the kernel, to come, needs it", remedy=OTHER_KERNEL),
    "mip6": Need(name="IPV6_MIP6", cost="the plane kernel, by which the others are judged", remedy=OTHER_KERNEL),
    "kernel_plane": Need(
        name="the plane kernel",
        cost="--plane kernel takes a guest kernel, where one is installed",
        remedy=OTHER_KERNEL,
    ),
}
NAMESPACES = Need(
    name="network namespaces",
    cost=NO_NETWORK,
    remedy="run this as root; in a container, let it be privileged",
    needed=True,
)
ROOT = Need(
    name="root",
    cost="only verify, report and the unprivileged tests work",
    remedy="become root or get sudo",
    needed=True,
)


def _tool(name: str, package: str, cost: str, *, needed: bool = True) -> Need:
    return Need(name=name, cost=cost, remedy=f"apt-get install --no-install-recommends {package}", needed=needed)


TOOLS = [
    _tool("ip", "iproute2", "Mininet's nodes cannot be configured from their prompt"),
    _tool("nsenter", "util-linux", NO_NETWORK),
    _tool("setpriv", "util-linux", NO_NETWORK),
    _tool("nft", "nftables", NO_USER_PLANE),
    _tool("radvd", "radvd", "no router advertises, no mobile node moves"),
    _tool("dumpcap", "wireshark-common", "no captures, no verification"),
    _tool("mnexec", "mininet", "no commands at Mininet's prompt"),
    _tool("dnsmasq", "dnsmasq-base", "the scenario dhcpv6 cannot be played", needed=False),
    _tool("ping", "iputils-ping", "no ping at Mininet's prompt", needed=False),
    _tool("tshark", "tshark", "the tests that compare with Wireshark skip", needed=False),
    _tool("chromium", "chromium", "nothing yet; the tests of web pages, to come, need it", needed=False),
]


GUEST = Need(
    name=guest.KERNEL,
    cost="no --kernel guest: who is not root, or lacks something of the above, runs nothing",
    remedy=f"apt-get install --no-install-recommends {guest.PACKAGE} (x86 only)",
)

VIRTUAL_TIME = Need(
    name="virtual time",
    cost="no --time virtual: no two runs are alike to the octet, and waiting takes its time",
    remedy=f"{time_travel.COMMAND} ({time_travel.SOURCE_PACKAGE} of Debian 12)",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Examine the machine; 0 only if the plane `user` works, here or in a guest."""
    findings = list(examine())
    obstacles = [finding for finding in findings if finding.need.needed and finding.state is not State.THERE]
    helps = guest_helps(findings, obstacles)
    if args.json:
        listed = [{"area": f.area, "state": f.state, "detail": f.detail} | asdict(f.need) for f in findings]
        print(json.dumps({"user_plane": not obstacles, "guest": helps, "findings": listed}, indent=2))
    else:
        show(findings, obstacles, console())
        console().print(f"By itself, mip6lab run takes {escape(taken())}", soft_wrap=True)
    return 1 if obstacles and not helps else 0


def taken() -> str:
    """Say which kernel and which data plane are taken here where none is asked for, and why."""
    try:
        kernel = choose(KernelName.AUTO, needs([PlaneName.AUTO], netem=False))
    except MissingError as error:
        return f"nothing: {error}"
    if kernel.is_to_boot:
        return f"{kernel}; the plane is chosen there"
    namespace = Namespace()
    try:
        return f"{kernel}; {namespace.run(partial(choose_plane, PlaneName.AUTO))}"
    finally:
        namespace.close()


def guest_helps(findings: Sequence[Finding], obstacles: Sequence[Finding]) -> bool:
    """Tell whether scenarios run in a guest kernel: it has the rights and the kernel, and the rest is there."""
    there = any(finding.need is GUEST and finding.state is State.THERE for finding in findings)
    return there and all(finding.area in ("rights", "kernel") for finding in obstacles)


def examine() -> Iterator[Finding]:
    """Look into everything."""
    yield _rights()
    yield from kernel_findings(*_probe())
    for need in TOOLS:
        place = shutil.which(need.name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
        yield Finding(area="tools", need=need, state=State.THERE if place else State.MISSING, detail=place or "")
    yield _guest()
    yield _virtual_time()
    yield from _packages(metadata.requires("mip6lab") or [])


def show(findings: Sequence[Finding], obstacles: Sequence[Finding], out: Console) -> None:
    """Print what was found."""
    marks = {State.THERE: "[green]✓[/]", State.MISSING: "[yellow]–[/]", State.UNKNOWN: "[yellow]?[/]"}
    table = Table("", "", "", "", box=None, show_header=False, padding=(0, 1))
    area = ""
    for finding in findings:
        need = finding.need
        bad = need.needed and finding.state is not State.THERE
        mark = "[bold red]✗[/]" if bad and finding.state is State.MISSING else marks[finding.state]
        text = escape(finding.detail)
        if finding.state is not State.THERE:
            remedy = AS_ROOT if finding.state is State.UNKNOWN else need.remedy
            text += f"{'; ' if text else ''}costs: {escape(need.cost)}; get it: {escape(remedy)}"
        table.add_row(f"[bold]{finding.area if finding.area != area else ''}[/]", mark, escape(need.name), text)
        area = finding.area
    out.print(table)
    missing = ", ".join(finding.need.name for finding in obstacles if finding.state is State.MISSING)
    if obstacles and guest_helps(findings, obstacles):
        out.print("[bold green]All works in the guest kernel[/]: lab/bootstrap mip6lab run handover --kernel guest")
    elif missing:
        out.print(f"[bold red]The plane user does not work here[/]: see {escape(missing)}")
    elif obstacles:
        unknown = escape(", ".join(finding.need.name for finding in obstacles))
        out.print(f"[bold yellow]Whether the plane user works here only root can try[/] (see {unknown}): {AS_ROOT}")
    else:
        out.print("[bold green]The plane user works here[/]: lab/bootstrap mip6lab run handover")


def kernel_findings(results: dict[str, str | None] | None, reason: str) -> Iterator[Finding]:
    """Judge what the probes said; None if no namespace could be made, for a reason."""
    if results is None:
        state = State.MISSING if os.geteuid() == 0 else State.UNKNOWN
        yield Finding(area="kernel", need=NAMESPACES, state=state, detail=reason)
        for need in KERNEL.values():
            yield Finding(area="kernel", need=need, state=State.UNKNOWN, detail="not tried")
        return
    yield Finding(area="kernel", need=NAMESPACES, state=State.THERE, detail=f"Linux {platform.release()}")
    for name, need in KERNEL.items():
        obstacle = results.get(name, "not tried")
        if obstacle is None:
            yield Finding(area="kernel", need=need, state=State.THERE)
        elif os.geteuid() != 0 and any(word in obstacle for word in _NO_PERMISSION):
            yield Finding(area="kernel", need=need, state=State.UNKNOWN, detail="only root can try")
        else:
            yield Finding(area="kernel", need=need, state=State.MISSING, detail=obstacle)


def _probe() -> tuple[dict[str, str | None] | None, str]:
    """Try the kernel in a namespace that ends with the process; as an ordinary user, root of a user namespace."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *rights, "--net", sys.executable, "-P", "-m", "lab.emulation.probes"]
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"PATH": path}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["unshare failed"])[-1]
    return json.loads(done.stdout), ""


def _guest() -> Finding:
    """Look for the guest kernel and its modules, without booting it."""
    reason = guest.obstacle()
    if reason is not None:
        return Finding(area="guest", need=GUEST, state=State.THERE if guest.inside() else State.MISSING, detail=reason)
    lacking = ", ".join(sorted(guest.MODULES_OF_USE - guest.modules()))
    detail = f"Linux {guest.release()}, " + (f"without modules {lacking}" if lacking else "with all modules of use")
    return Finding(area="guest", need=GUEST, state=State.THERE, detail=detail)


def _virtual_time() -> Finding:
    """Look for the kernel that has it, without booting it."""
    if time_travel.obstacle() is not None:
        return Finding(area="guest", need=VIRTUAL_TIME, state=State.MISSING, detail="its kernel is not built")
    try:
        detail = time_travel.described()
    except GuestError as error:
        return Finding(area="guest", need=VIRTUAL_TIME, state=State.MISSING, detail=str(error))
    return Finding(area="guest", need=VIRTUAL_TIME, state=State.THERE, detail=detail)


def _rights() -> Finding:
    if os.geteuid() == 0:
        return Finding(area="rights", need=ROOT, state=State.THERE)
    sudo = shutil.which("sudo")
    if sudo is None:
        return Finding(area="rights", need=ROOT, state=State.MISSING, detail="an ordinary user without sudo")
    return Finding(area="rights", need=ROOT, state=State.THERE, detail=f"by {sudo}, if it lets you")


def _packages(requirements: Sequence[str]) -> Iterator[Finding]:
    """Look for the Python packages that this one names."""
    yield Finding(
        area="Python",
        need=Need(name="python", cost="", remedy="", needed=True),
        state=State.THERE,
        detail=f"{platform.python_version()}, {sys.executable}",
    )
    for requirement in requirements:
        name, _, condition = requirement.partition(";")
        name = re.split(r"[^\w.-]", name, maxsplit=1)[0]
        if "python_version" in condition:
            continue
        development = "extra" in condition
        need = Need(
            name=name,
            cost="the tests cannot run" if development else "mip6lab cannot run",
            remedy="lab/bootstrap, or pip install --require-hashes -r requirements.lock",
            needed=not development,
        )
        try:
            yield Finding(area="Python", need=need, state=State.THERE, detail=metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(area="Python", need=need, state=State.MISSING)
