"""The `bpf` plane: the `user` plane with programs in the kernel before it, which carry nearly all packets.

The programs (`mip6.bpf.c`) sit where packets enter the tunnel device and where they arrive from the network. They do
what the maps here tell them; what the maps do not tell them is left to the user plane, which is always ready. So
nothing is lost by what a map does not have, and whatever is not to be done any more leaves the maps first.
"""

import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address

from lab.constants import ENCAPSULATION_LIMIT
from lab.engine.io import (
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    InstallTunnel,
    ListenFor,
    PlaneEffect,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
    RemoveTunnel,
)
from lab.errors import PlaneError
from lab.events import PacketDropped
from lab.netlink import HEADER, RTM_NEWLINK, Link, link_of, messages
from lab.plane import sysctl
from lab.plane.base import Watch
from lab.plane.bpf.programs import Program, Programs
from lab.plane.bpf.syscalls import Map
from lab.plane.ipsec import Ipsec
from lab.plane.paths import MAX_HEARD
from lab.plane.user import UserPlane, tell_nobody
from lab.safeguards import NOTHING, Safeguard, Without

_LINKS_GROUP = 1
_INDEX = struct.Struct("=i")
_INDEX_AT = HEADER.size + 4
_ETHERNET_OCTETS = 6
_PATH = struct.Struct("=16sII")
"""The value of a direct path: its care-of address, whether it was used, and the largest packet that it carries."""
_ANY_SIZE = 0xFFFF_FFFF
"""As far as is known: what the way to a care-of address carries, the programs ask the kernel."""
_YES = b"\1"
_NO_ENDS = bytes(32)
"""The ends of a tunnel that the programs leave to the user plane."""


class BpfPlane(UserPlane):
    """Tunnels and direct paths by programs in the kernel; see `UserPlane` for all else."""

    name = "bpf"

    def __init__(
        self,
        watch: Watch,
        deliver: Callable[[bytes, bool], None],
        heard: Callable[[IPv6Address, IPv6Address], None],
        ipsec: Ipsec,
        encapsulation_limit: int = ENCAPSULATION_LIMIT,
        *,
        dhcpv6: bool = False,
        dropped: Callable[[PacketDropped], None] = tell_nobody,
        without: Without = NOTHING,
    ) -> None:
        self._tell_heard = heard
        self._pairs: dict[bytes, None] = {}
        """What the map `heard` has, in the order of `Paths`."""
        self._attached: dict[int, Callable[[], None]] = {}
        """By the index of the device."""
        self._programs = Programs()
        self._maps = self._programs.maps
        self._links = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        with contextlib.ExitStack() as failing:
            failing.callback(self._close_programs)
            # A program may look up ways out of a device that forwards alone. Told so later, the kernel would forget
            # the routers that it knows by their advertisements.
            before = sysctl.set_interface("default", forwarding=1)
            try:
                super().__init__(
                    watch,
                    deliver,
                    self._on_heard,
                    ipsec,
                    encapsulation_limit,
                    dhcpv6=dhcpv6,
                    dropped=dropped,
                    without=without,
                )
            finally:
                sysctl.restore(before)
            failing.callback(super().close)
            self._maps["device"][bytes(4)] = _INDEX.pack(self._index)
            self._attached[self._index] = self._programs.attach(Program.OUTWARDS, self._index, self._netlink)
            self._links.bind((0, _LINKS_GROUP))
            watch(self._links.fileno(), self._on_links)
            for link in self._netlink.links():
                self._attach(link)
            failing.pop_all()

    def apply(self, effect: PlaneEffect) -> None:
        """Carry out one effect; raises `PlaneError`."""
        self._withdraw(effect)
        super().apply(effect)
        self._entrust(effect)

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell whether a direct path carried packets since this was last asked."""
        if peer is None:
            used = _forget_use(self._maps["bindings"], home_address.packed)
        else:
            used = _forget_use(self._maps["routes"], home_address.packed + peer.packed)
        return super().used(home_address, peer) or used

    def counters(self) -> dict[str, int]:
        """Packets by what became of them, whoever carried them."""
        return dict(Counter(super().counters()) + Counter(self._programs.counts()))

    def close(self) -> None:
        """Take back every program, route, address and device."""
        self._counters.update(self._programs.counts())
        self._close_programs()
        super().close()

    def _close_programs(self) -> None:
        for detach in self._attached.values():
            with contextlib.suppress(PlaneError):
                detach()
        self._attached.clear()
        self._links.close()
        self._programs.close()

    # What the programs know

    def _withdraw(self, effect: PlaneEffect) -> None:
        """Have the programs forget what is to be undone, before it is."""
        match effect:
            case RemoveTunnel(home_address=home_address):
                self._maps["towards"].remove(home_address.packed)
            case RemoveReverseTunnel(home_address=home_address):
                self._maps["backwards"].remove(home_address.packed)
            case RemoveBinding(home_address=home_address):
                self._maps["bindings"].remove(home_address.packed)
            case RemoveRouteOptimisation(home_address=home_address, peer=peer):
                self._maps["routes"].remove(home_address.packed + peer.packed)
            case ListenFor(home_address=home_address, peer=peer):
                self._forget_pair(home_address.packed + peer.packed)

    def _entrust(self, effect: PlaneEffect) -> None:
        """Have the programs do what the user plane does now."""
        match effect:
            case InstallTunnel(home_address=home_address, home_agent_address=local, care_of_address=remote):
                self._maps["towards"][home_address.packed] = self._ends(home_address, local, local, remote)
            case InstallReverseTunnel(home_address=home_address, home_agent_address=remote, care_of_address=local):
                self._maps["backwards"][home_address.packed] = self._ends(home_address, remote, local, remote)
            case InstallBinding(home_address=home_address, care_of_address=care_of_address):
                _lead(self._maps["bindings"], home_address.packed, care_of_address)
            case InstallRouteOptimisation(home_address=home_address, peer=peer, care_of_address=care_of_address):
                _lead(self._maps["routes"], home_address.packed + peer.packed, care_of_address)

    def _ends(
        self, home_address: IPv6Address, home_agent: IPv6Address, local: IPv6Address, remote: IPv6Address
    ) -> bytes:
        """Give the ends of a tunnel as the programs know them: none where they cannot do what is asked for.

        They neither seal nor open, and look at the outer source in any case (§10.4.5).
        """
        sealed = self._ipsec.tunnel(home_address, home_agent).payload is not None
        left_alone = sealed or Safeguard.OUTER_SOURCE_CHECK in self._without
        return _NO_ENDS if left_alone else local.packed + remote.packed

    def _on_heard(self, home_address: IPv6Address, peer: IPv6Address) -> None:
        """Spare the user plane the further packets of a pair, as long as it knows the pair itself."""
        if len(self._pairs) == MAX_HEARD:
            self._forget_pair(next(iter(self._pairs)))
        pair = home_address.packed + peer.packed
        self._pairs[pair] = None
        self._maps["heard"][pair] = _YES
        self._tell_heard(home_address, peer)

    def _on_narrow(self, home_address: bytes, peer: bytes, mtu: int) -> None:
        """Have the programs leave to the user plane what must be cut."""
        for paths, key in ((self._maps["routes"], home_address + peer), (self._maps["bindings"], peer)):
            with contextlib.suppress(KeyError):
                care_of_address, used, _ = _PATH.unpack(paths[key])
                paths[key] = _PATH.pack(care_of_address, used, mtu)

    def _forget_pair(self, pair: bytes) -> None:
        self._pairs.pop(pair, None)
        self._maps["heard"].remove(pair)

    # Where they sit

    def _on_links(self) -> None:
        """Attach to devices that came, and let go of those that went."""
        while True:
            try:
                octets = self._links.recv(1 << 17)
            except OSError:  # there is no more; or some was lost, and those devices have the user plane alone
                return
            for kind, _, message in messages(octets):
                (index,) = _INDEX.unpack_from(message, _INDEX_AT)
                if kind != RTM_NEWLINK:
                    self._attached.pop(index, _nothing)()
                elif index not in self._attached:
                    self._attach(link_of(message))

    def _attach(self, link: Link) -> None:
        """Look at what arrives at a device, if that is an Ethernet that is still there."""
        if len(link.link_layer_address) == _ETHERNET_OCTETS and any(link.link_layer_address):
            with contextlib.suppress(PlaneError):
                self._attached[link.index] = self._programs.attach(Program.INWARDS, link.index, self._netlink)


def _lead(paths: Map, key: bytes, care_of_address: IPv6Address) -> None:
    """Set the care-of address of a direct path; its use so far still counts."""
    used = 0
    with contextlib.suppress(KeyError):
        _, used, _ = _PATH.unpack(paths[key])
    paths[key] = _PATH.pack(care_of_address.packed, used, _ANY_SIZE)


def _forget_use(paths: Map, key: bytes) -> bool:
    """Tell whether a direct path was used, and count anew."""
    try:
        care_of_address, used, mtu = _PATH.unpack(paths[key])
    except KeyError:
        return False
    if used:
        paths[key] = _PATH.pack(care_of_address, 0, mtu)
    return bool(used)


def _nothing() -> None:
    """Undo nothing."""
