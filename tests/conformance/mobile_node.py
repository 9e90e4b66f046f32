"""The tester's mobile node: it computes Kbm and authenticators by itself (RFC 6275 §5.2.6), and judges what it gets."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from lab.wire.icmpv6 import EchoReply
from lab.wire.mobility import BindingAcknowledgement, BindingError, CareOfTest, HomeTest
from lab.wire.options import BindingAuthorizationData
from lab.wire.packet import Packet
from tests.conformance.node import ADDRESS, Node
from tests.conformance.octets import (
    AUTHENTICATOR_OCTETS,
    BINDING_UPDATE,
    CARE_OF_TEST_INIT,
    HOME_TEST_INIT,
    MOBILITY_HEADER,
    A,
    echo_request,
    mobility,
    upper,
    with_alternate,
    with_authenticator,
    with_nonce_indices,
)

HOME = IPv6Address("2001:db8:1::100")
CARE_OF = IPv6Address("2001:db8:a1::2")
OTHER_CARE_OF = IPv6Address("2001:db8:a2::2")
HOME_COOKIE, CARE_OF_COOKIE = b"homecook", b"careofck"
EXPIRED = 241.0
"""Seconds after which no token is good any more."""
NEVER_ISSUED = 0xFFFF


@dataclass(frozen=True)
class Token:
    """A keygen token with the index of its nonce."""

    index: int
    value: bytes


def key(home: bytes, care_of: bytes = b"") -> bytes:
    """Kbm = SHA1 (home keygen token | care-of keygen token), the latter not where a binding is deleted."""
    return hashlib.sha1(home + care_of).digest()


def authenticator(kbm: bytes, address: IPv6Address, correspondent: IPv6Address, header: bytes) -> bytes:
    """First (96, HMAC_SHA1 (Kbm, address | correspondent | MH data)); `header` ends in the authenticator."""
    data = header[:4] + b"\0\0" + header[6:-AUTHENTICATOR_OCTETS]
    return hmac.new(kbm, address.packed + correspondent.packed + data, hashlib.sha1).digest()[:AUTHENTICATOR_OCTETS]


class MobileNode:
    """A mobile node away from home, or at home where `source` is the home address."""

    def __init__(
        self, node: Node, home: IPv6Address = HOME, care_of: IPv6Address = CARE_OF, peer: IPv6Address = ADDRESS
    ) -> None:
        self.node, self.home, self.care_of, self.peer = node, home, care_of, peer
        self.home_token = self.care_of_token = Token(0, b"")
        self.key = b""
        """Kbm of the last Binding Update."""
        self.signed_for = home
        """The address in its authenticator."""

    # Return routability

    def test_home(self) -> None:
        """Get a home keygen token, by the home agent (which the node under test does not see)."""
        (answer,) = self.node.receive(self.test_init(HOME_TEST_INIT))
        message = answer.payload
        assert isinstance(message, HomeTest)
        assert (answer.source, answer.destination, answer.headers) == (self.peer, self.home, ())
        assert (message.cookie, message.options) == (HOME_COOKIE, ())
        self.home_token = Token(message.nonce_index, message.keygen_token)

    def test_care_of(self, care_of: IPv6Address | None = None) -> None:
        """Get a care-of keygen token."""
        care_of = care_of or self.care_of
        (answer,) = self.node.receive(self.test_init(CARE_OF_TEST_INIT, source=care_of))
        message = answer.payload
        assert isinstance(message, CareOfTest)
        assert (answer.source, answer.destination, answer.headers) == (self.peer, care_of, ())
        assert (message.cookie, message.options) == (CARE_OF_COOKIE, ())
        self.care_of_token = Token(message.nonce_index, message.keygen_token)

    def return_routability(self) -> None:
        """Do both tests."""
        self.test_home()
        self.test_care_of()

    def test_init(self, kind: int, source: IPv6Address | None = None, options: bytes = b"", **fields: Any) -> bytes:
        """Make a Home Test Init or Care-of Test Init; `fields` are those of `mobility` and `upper`."""
        cookie, where = (HOME_COOKIE, self.home) if kind == HOME_TEST_INIT else (CARE_OF_COOKIE, self.care_of)
        first = fields.pop("first", bytes(2))
        carried = {name: fields.pop(name) for name in ("home", "routed", "checksum") if name in fields}
        header = mobility(kind, first + cookie + options, **fields)
        return upper(MOBILITY_HEADER, header, source=source or where, destination=self.peer, **carried)

    # Binding Updates

    def update(
        self,
        sequence: int = 1,
        *,
        units: int = 105,
        flags: int = A,
        source: IPv6Address | None = None,
        option: IPv6Address | bool = True,
        alternate: IPv6Address | None = None,
        indices: tuple[int, int] | bool = True,
        authorized: bool = True,
        tokens: tuple[bytes, bytes] | None = None,
        between: Callable[[bytes], bytes] = bytes,
        behind: Callable[[bytes], bytes] = bytes,
        spoil: bool = False,
        checksum: bytes | None = None,
        **fields: Any,
    ) -> bytes:
        """Make a Binding Update.

        `option` is what the Home Address option holds (the home address if True), `between` adds options before the
        Binding Authorization Data, `behind` such that must not be there; `fields` are those of `mobility`.
        """
        source = source or self.care_of
        home = self.home if option is True else option or None
        care_of, bound = alternate or source, home or source
        deletes = units == 0 or care_of == bound
        data = sequence.to_bytes(2, "big") + flags.to_bytes(2, "big") + units.to_bytes(2, "big")
        if indices is True:
            indices = self.home_token.index, self.care_of_token.index
        if indices:
            data = with_nonce_indices(data, *indices)
        if alternate is not None:
            data = with_alternate(data, alternate)
        data = between(data)
        if authorized:
            home_token, care_of_token = tokens or (self.home_token.value, self.care_of_token.value)
            self.key = key(home_token) if deletes else key(home_token, care_of_token)
            self.signed_for = bound if deletes else care_of
            data = with_authenticator(data)
            at = len(data) - AUTHENTICATOR_OCTETS
            data = behind(data)
            header = mobility(BINDING_UPDATE, data, **fields)
            # The authenticator covers everything but itself; where nothing is amiss it is at the end.
            moved = header[: 6 + at] + header[6 + at + AUTHENTICATOR_OCTETS :] + bytes(AUTHENTICATOR_OCTETS)
            signature = authenticator(self.key, self.signed_for, self.peer, moved)
            if spoil:
                signature = bytes(octet ^ 0xFF for octet in signature)
            header = header[: 6 + at] + signature + header[6 + at + AUTHENTICATOR_OCTETS :]
        else:
            header = mobility(BINDING_UPDATE, data, **fields)
        return upper(MOBILITY_HEADER, header, source=source, destination=self.peer, home=home, checksum=checksum)

    def send(self, sequence: int = 1, **fields: Any) -> list[Packet]:
        """Send a Binding Update and give what comes back; see `update`."""
        return self.node.receive(self.update(sequence, **fields))

    def from_home(self, sequence: int, *, units: int = 0, option: IPv6Address | bool = False, **fields: Any) -> bytes:
        """Make a Binding Update that is sent from the home link."""
        return self.update(sequence, units=units, source=self.home, option=option, **fields)

    def register(self, sequence: int = 1, **fields: Any) -> BindingAcknowledgement:
        """Do both tests and register."""
        self.return_routability()
        message = self.accepted(self.send(sequence, **fields), sequence)
        assert self.is_bound(fields.get("alternate"))
        return message

    # Judgements

    def acknowledged(
        self,
        answers: list[Packet],
        status: int,
        sequence: int,
        *,
        to: IPv6Address | None = None,
        signed: bool = True,
    ) -> BindingAcknowledgement:
        """Verify that one Binding Acknowledgement came, rightly addressed, and signed or not."""
        (answer,) = answers
        message = answer.payload
        assert isinstance(message, BindingAcknowledgement)
        assert (message.status, message.sequence) == (status, sequence)
        to = to or self.care_of
        # §9.5.4: a type 2 routing header where the Binding Update had a Home Address option that was of use.
        assert (answer.source, answer.destination) == (self.peer, to)
        assert answer.routed_home_address == (None if to == self.home else self.home)
        assert len(answer.headers) == (to != self.home)
        if signed:
            self._verify(answer, message)
        else:
            assert message.options == ()
        assert not message.key_management_mobility_capability
        return message

    def accepted(self, answers: list[Packet], sequence: int, **fields: Any) -> BindingAcknowledgement:
        """Verify that a Binding Update was accepted."""
        return self.acknowledged(answers, 0, sequence, **fields)

    def _verify(self, answer: Packet, message: BindingAcknowledgement) -> None:
        header = answer.payload_octets
        (option,) = message.options
        assert isinstance(option, BindingAuthorizationData)
        assert header.endswith(option.authenticator)
        assert option.authenticator == authenticator(self.key, self.signed_for, self.peer, header)

    def ask_back(self, care_of: IPv6Address | None = None) -> Packet:
        """Send an Echo Request with a Home Address option; give the answer."""
        source = care_of or self.care_of
        (answer,) = self.node.receive(echo_request(source=source, destination=self.peer, home=self.home))
        return answer

    def is_bound(self, care_of: IPv6Address | None = None) -> bool:
        """Tell whether what comes from a care-of address is taken, and answered there, behind a routing header.

        If it is not, a Binding Error says so.
        """
        source = care_of or self.care_of
        answer = self.ask_back(source)
        assert (answer.source, answer.destination) == (self.peer, source)
        if isinstance(answer.payload, BindingError):
            assert (answer.payload.status, answer.payload.home_address) == (1, self.home)
            assert answer.headers == ()
            return False
        assert isinstance(answer.payload, EchoReply)
        assert (answer.routed_home_address, len(answer.headers)) == (self.home, 1)
        return True

    def is_plain(self) -> bool:
        """Tell whether packets for the home address go there, plainly; else they go to the care-of address."""
        (answer,) = self.node.receive(echo_request(source=self.home, destination=self.peer))
        assert isinstance(answer.payload, EchoReply)
        assert answer.source == self.peer
        if answer.headers:
            assert answer.routed_home_address == self.home
            return False
        assert answer.destination == self.home
        return True

    def is_nowhere_bound(self) -> bool:
        """Tell whether neither direction takes a direct path."""
        return self.is_plain() and not self.is_bound()
