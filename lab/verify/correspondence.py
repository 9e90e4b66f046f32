"""What the captures say about mobile nodes and correspondents: tests, tokens, registrations, RFC 6275 §5.2 and §9."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address

from lab.verify.binding import (
    Acknowledgement,
    Period,
    Update,
    answers_correspondent_registration,
    periods,
    read_acknowledgement,
    read_update,
)
from lab.verify.frame import MOBILITY, Frame
from lab.verify.mobility_options import binding_authorization_data, nonce_indices
from lab.verify.trace import SAME_PACKET_WITHIN

REFRESH_REQUEST, HOME_TEST_INIT, CARE_OF_TEST_INIT, HOME_TEST, CARE_OF_TEST, BINDING_ERROR = 0, 1, 2, 3, 4, 7
AUTHENTICATOR_OCTETS = 12


@dataclass(frozen=True, kw_only=True)
class Message:
    """A mobility message, where it was seen first, and what carried it there: itself, or a tunnel."""

    frame: Frame
    carrier: Frame

    @property
    def tunnelled(self) -> bool:
        """Whether it was in a tunnel."""
        return self.carrier is not self.frame


@dataclass(frozen=True, kw_only=True)
class TestInit:
    """A Home Test Init or a Care-of Test Init (§6.1.3, §6.1.4)."""

    __test__ = False

    message: Message
    home: bool
    asker: IPv6Address
    peer: IPv6Address
    cookie: bytes

    @property
    def frame(self) -> Frame:
        """Its frame."""
        return self.message.frame


@dataclass(frozen=True, kw_only=True)
class Test:
    """A Home Test or a Care-of Test (§6.1.5, §6.1.6)."""

    __test__ = False

    frame: Frame
    home: bool
    to: IPv6Address
    peer: IPv6Address
    index: int
    cookie: bytes
    token: bytes


@dataclass(kw_only=True)
class Correspondence:
    """Everything between mobile nodes and correspondents that rules ask for."""

    packets: Sequence[Frame]
    """Every packet once."""
    home_agents: set[IPv6Address]

    @cached_property
    def messages(self) -> list[Message]:
        """Mobility messages outside and inside tunnels, each once although it goes into tunnels and out of them."""
        return list(_once(self.packets))

    @cached_property
    def test_inits(self) -> list[TestInit]:
        """Home and Care-of Test Inits."""
        return [
            TestInit(
                message=message,
                home=message.frame.message_type == HOME_TEST_INIT,
                asker=message.frame.source,
                peer=message.frame.receiver,
                cookie=message.frame.payload[8:16],
            )
            for message in self._of(HOME_TEST_INIT, CARE_OF_TEST_INIT, least=16)
        ]

    @cached_property
    def tests(self) -> list[Test]:
        """Home and Care-of Tests."""
        return [
            Test(
                frame=frame,
                home=frame.message_type == HOME_TEST,
                to=frame.destination,
                peer=frame.sender,
                index=int.from_bytes(frame.payload[6:8], "big"),
                cookie=frame.payload[8:16],
                token=frame.payload[16:24],
            )
            for frame in (message.frame for message in self._of(HOME_TEST, CARE_OF_TEST, least=24))
        ]

    @cached_property
    def refresh_requests(self) -> list[Frame]:
        """Binding Refresh Requests."""
        return [message.frame for message in self._of(REFRESH_REQUEST, least=8)]

    @cached_property
    def errors(self) -> list[Frame]:
        """Binding Errors."""
        return [message.frame for message in self._of(BINDING_ERROR, least=24)]

    @cached_property
    def updates(self) -> list[Update]:
        """Correspondent registrations."""
        read = [read_update(message.frame) for message in self.messages]
        return [
            update
            for update in read
            if update is not None and not (update.is_home_registration and update.peer in self.home_agents)
        ]

    @cached_property
    def acknowledgements(self) -> list[Acknowledgement]:
        """Acknowledgements that come from correspondents."""
        asked = {update.peer for update in self.updates} - self.home_agents
        read = [
            read_acknowledgement(message.frame, self.updates)
            for message in self.messages
            if message.frame.sender in asked or answers_correspondent_registration(message.frame)
        ]
        return [acknowledgement for acknowledgement in read if acknowledgement is not None]

    @cached_property
    def periods(self) -> list[Period]:
        """Which care-of address was in force when, for each home address and correspondent."""
        return periods(self.acknowledgements, lambda update: update.peers)

    def of_pair(self, home_address: IPv6Address, peer: IPv6Address) -> list[Period]:
        """Give the periods of one mobile node at one correspondent."""
        return self._periods_of_pairs.get((home_address, peer), [])

    def asked(self, home_address: IPv6Address, peer: IPv6Address) -> list[Update]:
        """Give the registrations of one mobile node with one correspondent."""
        return self._updates_of_pairs.get((home_address, peer), [])

    def answer(self, update: Update) -> Acknowledgement | None:
        """Give the first acknowledgement of an update."""
        return next((a for a in self.acknowledgements if a.update is update), None)

    def home_test(self, update: Update) -> Test | None:
        """Give the Home Test by which an update was authorised."""
        return self._test(update, update.home_address, home=True)

    def care_of_test(self, update: Update) -> Test | None:
        """Give the Care-of Test by which an update was authorised."""
        return self._test(update, update.care_of_address, home=False)

    def key(self, update: Update) -> bytes | None:
        """Recompute Kbm (§5.2.6) from the captured tokens; None if the captures lack one."""
        home, care_of = self.home_test(update), self.care_of_test(update)
        if home is None or (care_of is None and not update.ends):
            return None
        care_of_token = b"" if update.ends or care_of is None else care_of.token
        return hashlib.sha1(home.token + care_of_token, usedforsecurity=False).digest()

    def authenticator(self, update: Update, message: bytes) -> bytes | None:
        """Recompute the authenticator (§6.2.7) of an update or of its acknowledgement; None if that cannot be done."""
        key, data = self.key(update), binding_authorization_data(message)
        if key is None or data is None:
            return None
        care_of_address = update.home_address if update.ends else update.care_of_address
        without = message[:4] + bytes(2) + message[6 : data.at + 2] + message[data.end :]
        mobility_data = care_of_address.packed + update.peer.packed + without
        return hmac.digest(key, mobility_data, "sha1")[:AUTHENTICATOR_OCTETS]

    def _test(self, update: Update, address: IPv6Address, *, home: bool) -> Test | None:
        indices = nonce_indices(update.frame.payload)
        if indices is None:
            return None
        given = [
            test
            for test in self.tests
            if (test.home, test.to, test.peer) == (home, address, update.peer)
            and test.index == indices[0 if home else 1]
            and test.frame.time <= update.frame.time
        ]
        return given[-1] if given else None

    @cached_property
    def _updates_of_pairs(self) -> dict[tuple[IPv6Address, IPv6Address], list[Update]]:
        pairs: dict[tuple[IPv6Address, IPv6Address], list[Update]] = {}
        for update in self.updates:
            pairs.setdefault(update.peers, []).append(update)
        return pairs

    @cached_property
    def _periods_of_pairs(self) -> dict[tuple[IPv6Address, IPv6Address], list[Period]]:
        pairs: dict[tuple[IPv6Address, IPv6Address], list[Period]] = {}
        for period in self.periods:
            pairs.setdefault((period.home_address, period.peer), []).append(period)
        return pairs

    def _of(self, *kinds: int, least: int) -> Iterator[Message]:
        for message in self.messages:
            if message.frame.message_type in kinds and len(message.frame.payload) >= least:
                yield message


def _once(packets: Sequence[Frame]) -> Iterator[Message]:
    """Give each mobility message where it was seen first, and again where it was sent again."""
    seen: dict[bytes, tuple[float, set[tuple[IPv6Address, ...]]]] = {}
    for packet in packets:
        frame = packet.innermost
        if frame.upper != MOBILITY or not (packet.whole and frame.whole) or len(frame.payload) < 8:
            continue
        way = tuple(_ends(packet))
        known = seen.get(frame.same)
        if known is not None and packet.time - known[0] < SAME_PACKET_WITHIN and way not in known[1]:
            known[1].add(way)
            continue
        seen[frame.same] = (packet.time, {way})
        yield Message(frame=frame, carrier=packet)


def _ends(packet: Frame) -> Iterator[IPv6Address]:
    """Give the ends of the tunnels around a packet."""
    while packet.inner is not None:
        yield packet.source
        yield packet.destination
        packet = packet.inner
