"""Which kernel a network is brought up on: that of this machine, or a guest's."""

import os
from dataclasses import dataclass
from enum import StrEnum

from lab.emulation import guest, probes
from lab.emulation.namespace import Namespace
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


def running() -> KernelName:
    """Name the kernel that this process runs on."""
    return KernelName.GUEST if guest.inside() else KernelName.HOST


def choose(wanted: KernelName, *, netem: bool) -> Choice:
    """Take the host's kernel for `auto` if it can do all that is needed, `netem` included if so, else a guest's.

    Raises `MissingError` that says how to get either.
    """
    if wanted is KernelName.HOST:
        return Choice(name=wanted, reason="as it was asked for")
    if wanted is KernelName.AUTO:
        lacking = "you are not root" if os.geteuid() != 0 else missing(netem=netem)
        if lacking is None:
            return Choice(name=KernelName.HOST, reason="it can do all that is needed")
    without = guest.obstacle()
    if wanted is KernelName.GUEST:
        if without is not None:
            raise MissingError(f"--kernel guest: {without}")
        return Choice(name=wanted, reason="as it was asked for")
    if without is not None:
        raise MissingError(f"this machine's kernel will not do: {lacking} (see mip6lab doctor); nor a guest: {without}")
    return Choice(name=KernelName.GUEST, reason=f"{lacking}, and the guest needs no rights")


def missing(*, netem: bool) -> str | None:
    """Say what this kernel lacks for a network; None if it lacks nothing. Needs root."""
    needed = [*probes.NEEDED, *([probes.netem] if netem else [])]
    try:
        namespace = Namespace()
    except MissingError as error:
        return str(error)
    try:
        obstacles = namespace.run(lambda: {probe.__name__: probes.attempt(probe) for probe in needed})
    finally:
        namespace.close()
    return next((f"{name}: {reason}" for name, reason in obstacles.items() if reason is not None), None)
