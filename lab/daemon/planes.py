"""Which data plane a node has: the one that it was told, or the fastest that works here."""

from dataclasses import dataclass

from lab.daemon.config import PlaneName
from lab.errors import PlaneError
from lab.plane.bpf import programs
from lab.plane.bpf.plane import BpfPlane
from lab.plane.kernel import probe as kernel
from lab.plane.kernel.plane import KernelPlane
from lab.plane.user import UserPlane
from lab.safeguards import NOTHING, Without

PLANES: dict[PlaneName, type[UserPlane]] = {
    PlaneName.BPF: BpfPlane,
    PlaneName.KERNEL: KernelPlane,
    PlaneName.USER: UserPlane,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A plane that there is, and why it was taken."""

    name: PlaneName
    reason: str

    def __str__(self) -> str:
        return f"plane {self.name}: {self.reason}"


def choose(wanted: PlaneName, without: Without = NOTHING) -> Choice:
    """Take, for `auto`, the first of `bpf`, `kernel` and `user` that works in the network namespace of the caller.

    Raises `PlaneError` where `kernel` is wanted, and does not work here, or not `without` some protection.
    """
    if wanted is PlaneName.KERNEL:
        _try_kernel(without)
    if wanted is not PlaneName.AUTO:
        return Choice(name=wanted, reason="as it was asked for")
    try:
        programs.probe()
        return Choice(name=PlaneName.BPF, reason="the kernel takes its programs")
    except PlaneError as error:
        lacking = f"bpf does not work here: {error}"
    try:
        _try_kernel(without)
    except PlaneError:
        return Choice(name=PlaneName.USER, reason=lacking)
    return Choice(name=PlaneName.KERNEL, reason=lacking)


def _try_kernel(without: Without) -> None:
    if insisted := ", ".join(sorted(without & KernelPlane.INSISTS_ON)):
        raise PlaneError(f"the plane kernel cannot do without {insisted}: Linux itself sees to that; take --plane user")
    try:
        kernel.probe()
    except PlaneError as error:
        needs = "a kernel with IPV6_MIP6, ip6_tunnel, xfrm_user and cls_bpf, such as mip6lab's guest"
        raise PlaneError(f"the plane kernel does not work here: {error}; it needs {needs}") from error
