"""What every data plane offers to the runtime."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Protocol

from lab.engine.io import Instant, PlaneEffect


class Plane(Protocol):
    """Carries out effects; each plane passes the same tests."""

    name: str

    def apply(self, effect: PlaneEffect) -> None:
        """Carry out one effect; it is in force on return. Raises `PlaneError` when it cannot be."""
        ...

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell whether a direct path carried packets since this was last asked; see `lab.engine.io.AskUse`."""
        ...

    def restore(self, interface: str) -> None:
        """Do anew what the kernel undid when an interface was taken down. Raises `PlaneError` when it cannot be."""
        ...

    def counters(self) -> dict[str, int]:
        """Packets dropped by reason and forwarded by direction, since the start."""
        ...

    def close(self) -> None:
        """Leave nothing of this plane behind; may be called twice."""
        ...


class Watch(Protocol):
    """How a plane that handles packets itself asks to be called when a descriptor is readable."""

    def __call__(self, descriptor: int, callback: Callable[[], None]) -> Callable[[], object]:
        """Call back whenever the descriptor can be read; gives what ends that, before the descriptor is closed."""
        ...


__all__ = ["Instant", "Plane", "PlaneEffect", "Watch"]
