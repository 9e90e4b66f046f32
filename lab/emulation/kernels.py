"""Which kernel a network is brought up on: that of this machine, or a guest's."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.daemon.config import PlaneName
from lab.emulation import guest, probes
from lab.emulation.namespace import Namespace
from lab.emulation.probes import Probe
from lab.errors import MissingError


class KernelName(StrEnum):
    """The kernels that can be asked for."""

    AUTO = "auto"
    HOST = "host"
    GUEST = "guest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kernel that there is, and why it was taken."""

    name: KernelName
    reason: str

    def __str__(self) -> str:
        return f"kernel {self.name}: {self.reason}"

    @property
    def is_to_boot(self) -> bool:
        """Whether that kernel does not run yet."""
        return self.name is KernelName.GUEST and not guest.inside()


def needs(planes: Iterable[PlaneName], *, netem: bool) -> list[Probe]:
    """List what a kernel must do for networks with some data planes, and with links that delay and lose if so."""
    of_planes = (probes.OF_PLANES[plane] for plane in planes if plane in probes.OF_PLANES)
    return [*probes.NEEDED, *([probes.netem] if netem else []), *of_planes]


def choose(wanted: KernelName, needed: Sequence[Probe]) -> Choice:
    """Take the host's kernel for `auto` if it can do all that is needed, else a guest's; inside a guest that one.

    Raises `MissingError` that says how to get either.
    """
    if guest.inside() and wanted is not KernelName.GUEST:
        return Choice(name=KernelName.GUEST, reason=os.environ[guest.INSIDE])
    if wanted is KernelName.HOST:
        return Choice(name=wanted, reason="as it was asked for")
    if wanted is KernelName.AUTO:
        lacking = "you are not root" if os.geteuid() != 0 else missing(needed)
        if lacking is None:
            return Choice(name=KernelName.HOST, reason="it can do all that is needed")
    without = guest.obstacle()
    if wanted is KernelName.GUEST:
        if without is not None:
            raise MissingError(f"--kernel guest: {without}")
        return Choice(name=wanted, reason="as it was asked for")
    if without is not None:
        raise MissingError(f"this machine's kernel will not do: {lacking} (see mip6lab doctor); nor a guest: {without}")
    return Choice(name=KernelName.GUEST, reason=f"this machine's will not do: {lacking}")


def missing(needed: Iterable[Probe]) -> str | None:
    """Say what this kernel lacks of what is needed; None if it lacks nothing. Needs root."""
    try:
        namespace = Namespace()
    except MissingError as error:
        return str(error)
    try:
        obstacles = namespace.run(lambda: {probe.__name__: probes.attempt(probe) for probe in needed})
    finally:
        namespace.close()
    lacks = ((name.replace("_", " "), reason) for name, reason in obstacles.items() if reason is not None)
    return next((f"{name}: {reason}" for name, reason in lacks), None)
