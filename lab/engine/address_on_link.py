"""What the host is asked for when a home address is on the home link, RFC 6275 §11.5.5."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.engine.io import (
    AddAddress,
    Effect,
    ForgetRouter,
    JoinGroup,
    LeaveGroup,
    RemoveAddress,
    RemoveReverseTunnel,
    StartDad,
    StopDad,
    UseRouter,
)
from lab.engine.movement import SLAAC_PREFIX_LENGTH, Router
from lab.wire.addresses import solicited_node


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOnLink:
    """A home address and the interface that is on its home link."""

    interface: str
    address: IPv6Address

    def test(self) -> StartDad:
        """Ask whether somebody else has it (RFC 4862)."""
        return StartDad(interface=self.interface, address=self.address)

    def use(self, router: Router) -> list[Effect]:
        """Send from it by a router instead of the tunnel, as any node does at home."""
        return [
            AddAddress(interface=self.interface, address=self.address, prefix_length=SLAAC_PREFIX_LENGTH),
            UseRouter(
                interface=self.interface,
                router=router.address,
                source=self.address,
                default=True,
                link_layer_address=router.link_layer_address,
            ),
            RemoveReverseTunnel(home_address=self.address),
        ]

    def remove(self) -> RemoveAddress:
        """Have it on the link no more."""
        return RemoveAddress(interface=self.interface, address=self.address, prefix_length=SLAAC_PREFIX_LENGTH)

    def release(self) -> list[Effect]:
        """Undo `test` and `use`, but for the tunnel."""
        return [StopDad(address=self.address), self.remove(), self.forget_router()]

    def reach(self, home_agent: IPv6Address | None, router: IPv6Address | None, link_layer_address: bytes) -> UseRouter:
        """Send from it to the home agent alone, by an address that it has on the link, or on the link itself."""
        return UseRouter(
            interface=self.interface,
            router=router,
            source=self.address,
            destination=home_agent,
            link_layer_address=link_layer_address,
        )

    def forget_router(self) -> ForgetRouter:
        """Undo `reach`, or what `use` asked of routers."""
        return ForgetRouter(interface=self.interface, source=self.address)

    def listen(self) -> JoinGroup:
        """Hear who asks for it while it is not configured."""
        return JoinGroup(interface=self.interface, group=solicited_node(self.address))

    def listen_no_more(self) -> LeaveGroup:
        """Undo `listen`."""
        return LeaveGroup(interface=self.interface, group=solicited_node(self.address))
