"""A plane that only remembers: for tests, and to see what a plane would be asked to do."""

from ipaddress import IPv6Address

from lab.engine.io import (
    AddAddress,
    DefendAddress,
    DisownHomeAddress,
    EndForwarding,
    ForgetRouter,
    ForwardGroup,
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    InstallTunnel,
    ListenFor,
    OwnHomeAddress,
    PlaneEffect,
    RemoveAddress,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
    RemoveTunnel,
    SendIntoTunnel,
    SetLinkMtu,
    StopDefending,
    UseRouter,
)
from lab.errors import PlaneError


class MemoryPlane:
    """Keeps what is in force; `refuse` names the kinds of effects that it cannot carry out."""

    name = "memory"

    def __init__(self, refuse: frozenset[type[PlaneEffect]] = frozenset()) -> None:
        self.refuse = refuse
        self.applied: list[PlaneEffect] = []
        self.addresses: set[object] = set()
        self.routers: dict[object, UseRouter] = {}
        self.mtus: dict[object, int | None] = {}
        self.defended: set[object] = set()
        self.tunnels: dict[object, InstallTunnel] = {}
        self.home_addresses: set[object] = set()
        self.reverse_tunnels: dict[object, InstallReverseTunnel] = {}
        self.bindings: dict[object, InstallBinding] = {}
        self.direct: dict[object, InstallRouteOptimisation] = {}
        self.groups: set[object] = set()
        """Pairs of home address and group."""
        self.in_use: set[object] = set()
        """What `used` says yes to, once: home addresses of bindings, pairs of home address and peer."""

    def apply(self, effect: PlaneEffect) -> None:
        """Remember one effect; raises `PlaneError` for those to be refused."""
        if type(effect) in self.refuse:
            raise PlaneError(f"{type(effect).__name__} is refused")
        self.applied.append(effect)
        match effect:
            case AddAddress(address=address):
                self.addresses.add(address)
            case RemoveAddress(address=address):
                self.addresses.discard(address)
            case UseRouter(source=source):
                self.routers[source] = effect
            case ForgetRouter(source=source):
                self.routers.pop(source, None)
            case SetLinkMtu(interface=interface, mtu=mtu):
                self.mtus[interface] = mtu
            case DefendAddress(address=address):
                self.defended.add(address)
            case StopDefending(address=address):
                self.defended.discard(address)
            case InstallTunnel(home_address=home_address):
                self.tunnels[home_address] = effect
            case RemoveTunnel(home_address=home_address):
                self.tunnels.pop(home_address, None)
            case OwnHomeAddress(home_address=home_address):
                self.home_addresses.add(home_address)
            case DisownHomeAddress(home_address=home_address):
                self.home_addresses.discard(home_address)
            case InstallReverseTunnel(home_address=home_address):
                self.reverse_tunnels[home_address] = effect
            case RemoveReverseTunnel(home_address=home_address):
                self.reverse_tunnels.pop(home_address, None)
            case InstallBinding(home_address=home_address):
                self.bindings[home_address] = effect
            case RemoveBinding(home_address=home_address):
                self.bindings.pop(home_address, None)
            case InstallRouteOptimisation(home_address=home_address, peer=peer):
                self.direct[home_address, peer] = effect
            case RemoveRouteOptimisation(home_address=home_address, peer=peer):
                self.direct.pop((home_address, peer), None)
            case ForwardGroup(home_address=home_address, group=group):
                self.groups.add((home_address, group))
            case EndForwarding(home_address=home_address, group=group):
                self.groups.discard((home_address, group))
            case ListenFor() | SendIntoTunnel():
                pass  # it hears nobody, and nothing passes through it

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell what the test put into `in_use`."""
        key: object = home_address if peer is None else (home_address, peer)
        found = key in self.in_use
        self.in_use.discard(key)
        return found

    def restore(self, interface: str) -> None:
        """Nothing is lost from memory."""

    def counters(self) -> dict[str, int]:
        """Nothing passes through memory."""
        return {}

    def close(self) -> None:
        """Nothing is left behind."""
