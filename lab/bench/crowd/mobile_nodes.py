"""Many mobile nodes that speak the real protocol with one home agent; every answer is checked."""

from array import array
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address

from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.bench.crowd.place import CARE_OF_ADDRESSES, Wire, home_address
from lab.bench.crowd.questions import Questions, Round
from lab.constants import Status
from lab.emulation.node import LabNode
from lab.errors import ScenarioError
from lab.events import PacketDropped
from lab.plane.ipsec import Ipsec, Message, Plain
from lab.wire.addresses import home_agents_anycast
from lab.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    MobilePrefixAdvertisement,
    MobilePrefixSolicitation,
)
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import Packet, mobility_packet, parse

LIFETIME = 3600
WINDOW = 64
"""Mobile nodes that wait for an answer at the same time."""
PATIENT = 10.0
"""Seconds before an answer is missed where none should be lost."""
_FLAGS = BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
_PLACE_BITS = 20
"""A care-of address tells, in its last bits, whose it is, and before them which of its places."""
_NUMBER = (1 << _PLACE_BITS) - 1
_FIRST_CARE_OF_ADDRESS = int(CARE_OF_ADDRESSES.network_address)
_SEQUENCES = 1 << 16


class Crowd:
    """Mobile nodes of one home agent, numbered from 0."""

    def __init__(self, wire: Wire, agent: LabNode, size: int, protections: Iterable[Protection] = ()) -> None:
        self._wire = wire
        self._home_addresses = [home_address(agent, number) for number in range(size)]
        self._agent = agent.spec.address
        assert agent.spec.home is not None
        self._anycast = home_agents_anycast(agent.spec.home.prefix)
        self._places = array("I", bytes(4 * size))
        self._sequences = array("H", bytes(2 * size))
        self._lifetimes = array("I", bytes(4 * size))
        self._ipsec = Ipsec(Policy(protections, at_home_agent=False), Secrets(b"crowd"), _refuse)

    def __len__(self) -> int:
        return len(self._home_addresses)

    def register(
        self,
        numbers: Iterable[int],
        *,
        window: int = WINDOW,
        every: float = 0.0,
        patience: float = PATIENT,
        lifetime: int = LIFETIME,
    ) -> Round:
        """Have mobile nodes register, `every` so many seconds the next, each again after `patience`, then twice that.

        Raises `ScenarioError` for an answer that is not as it must be, or for none.
        """

        def update(number: int) -> bytes:
            self._sequences[number] = (self._sequences[number] + 1) % _SEQUENCES
            self._lifetimes[number] = lifetime
            return self._update(number)

        return self._ask(numbers, update, self._agent, self._acknowledged, window, every, patience)

    def move(self, numbers: Iterable[int], *, window: int = WINDOW) -> Round:
        """Have mobile nodes register from new care-of addresses."""
        movers = [*numbers]
        for number in movers:
            self._places[number] += 1
        return self.register(movers, window=window)

    def deregister(self, numbers: Iterable[int], *, window: int = WINDOW) -> Round:
        """Have mobile nodes end their bindings."""
        return self.register(numbers, window=window, lifetime=0)

    def solicit_prefixes(self, numbers: Iterable[int], *, window: int = WINDOW) -> Round:
        """Have mobile nodes ask for the prefixes of home (§11.4.2), each once in a second at most."""

        def solicitation(number: int) -> bytes:
            message = MobilePrefixSolicitation(identifier=_identifier(number))
            return self._write(number, message)

        return self._ask(numbers, solicitation, self._agent, self._told_prefixes, window, 0.0, PATIENT)

    def discover(self, numbers: Iterable[int], *, every: float) -> Round:
        """Have mobile nodes look for home agents of the home link (§11.4.1)."""

        def request(number: int) -> bytes:
            message = HomeAgentAddressDiscoveryRequest(identifier=_identifier(number))
            return self._ipsec.write(
                Packet(source=self._care_of_address(number), destination=self._anycast, payload=message)
            )

        return self._ask(numbers, request, self._anycast, self._told_home_agents, WINDOW, every, PATIENT)

    def _ask(
        self,
        numbers: Iterable[int],
        question: Callable[[int], bytes],
        destination: IPv6Address,
        answered: Callable[[int, Packet], bool],
        window: int,
        every: float,
        patience: float,
    ) -> Round:
        questions = Questions(
            self._wire,
            str(destination),
            question,
            lambda octets: self._answered(octets, answered),
            window=window,
            every=every,
            patience=patience,
        )
        return questions.ask(numbers)

    def _answered(self, octets: bytes, answered: Callable[[int, Packet], bool]) -> int | None:
        """Give who is answered; None for what is no answer to the last question of anybody."""
        arrival = self._ipsec.open(octets)
        match arrival:
            case Plain():
                packet, protection = parse(octets), None
            case Message(packet=opened, protection=protection):
                packet = parse(opened)
            case _:
                raise ScenarioError(f"{arrival} is no answer")
        offset = int(packet.destination) - _FIRST_CARE_OF_ADDRESS
        number = offset & _NUMBER
        if packet.destination not in CARE_OF_ADDRESSES or number >= len(self):
            return None
        if isinstance(packet.payload, BindingAcknowledgement | MobilePrefixAdvertisement):
            self._ipsec.admits(packet, protection)
            if packet.source != self._agent or packet.routed_home_address != self._home_addresses[number]:
                return None  # another crowd's
        return number if answered(number, packet) else None

    def _acknowledged(self, number: int, packet: Packet) -> bool:
        acknowledgement = packet.payload
        if not isinstance(acknowledgement, BindingAcknowledgement):
            return False
        if acknowledgement.sequence != self._sequences[number]:
            return False  # to one that was repeated meanwhile
        expected = (Status.ACCEPTED, self._lifetimes[number], self._care_of_address(number))
        if (acknowledgement.status, acknowledgement.lifetime, packet.destination) != expected:
            raise ScenarioError(f"mobile node {number}: {acknowledgement} to {packet.destination}, not {expected}")
        return True

    def _told_prefixes(self, number: int, packet: Packet) -> bool:
        told = packet.payload
        return isinstance(told, MobilePrefixAdvertisement) and told.identifier == _identifier(number)

    def _told_home_agents(self, number: int, packet: Packet) -> bool:
        told = packet.payload
        if not isinstance(told, HomeAgentAddressDiscoveryReply) or self._agent not in told.addresses:
            return False
        return told.identifier == _identifier(number)

    def _update(self, number: int) -> bytes:
        update = BindingUpdate(
            sequence=self._sequences[number],
            flags=_FLAGS,
            lifetime=self._lifetimes[number],
            options=(AlternateCareOfAddress(address=self._care_of_address(number)),),
        )
        return self._write(number, update)

    def _write(self, number: int, message: BindingUpdate | MobilePrefixSolicitation) -> bytes:
        return self._ipsec.write(
            mobility_packet(
                self._care_of_address(number), self._agent, message, home_address=self._home_addresses[number]
            )
        )

    def _care_of_address(self, number: int) -> IPv6Address:
        return IPv6Address(_FIRST_CARE_OF_ADDRESS + (self._places[number] << _PLACE_BITS) + number)


def _identifier(number: int) -> int:
    """Name a question; 0 is for advertisements that nobody asked for."""
    return number % (_SEQUENCES - 1) + 1


def _refuse(dropped: PacketDropped) -> None:
    raise ScenarioError(f"an answer is not protected as it must be: {dropped}")
