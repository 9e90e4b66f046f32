"""Which data plane a node has: the one that it was told, or the faster one of `bpf` and `user` that works here.

The plane `kernel` is the oracle of both, and taken where it is asked for.
"""

from dataclasses import dataclass

from lab.daemon.config import PlaneName
from lab.errors import PlaneError
from lab.plane.bpf import programs
from lab.plane.bpf.plane import BpfPlane
from lab.plane.kernel import probe as kernel
from lab.plane.kernel.plane import KernelPlane
from lab.plane.user import UserPlane

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


def choose(wanted: PlaneName) -> Choice:
    """Take `bpf` for `auto` where the kernel takes its programs, tried in the network namespace of the caller.

    Raises `PlaneError` where `kernel` is wanted, and this one has not what it needs.
    """
    if wanted is PlaneName.KERNEL:
        try:
            kernel.probe()
        except PlaneError as error:
            needs = "a kernel with IPV6_MIP6, ip6_tunnel, xfrm_user and cls_bpf, such as mip6lab's guest"
            raise PlaneError(f"the plane kernel does not work here: {error}; it needs {needs}") from error
    if wanted is not PlaneName.AUTO:
        return Choice(name=wanted, reason="as it was asked for")
    try:
        programs.probe()
    except PlaneError as error:
        return Choice(name=PlaneName.USER, reason=f"bpf does not work here: {error}")
    return Choice(name=PlaneName.BPF, reason="the kernel takes its programs")
