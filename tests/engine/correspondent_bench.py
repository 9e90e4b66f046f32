"""A correspondent on a bench: tests and Binding Updates of a mobile node go in, what comes out is sorted."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from lab.auth.return_routability import binding_management_key
from lab.auth.secrets import Secrets
from lab.engine.authorization import sign
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.io import AskUse, DeadlineReached, Effect, Input, InstallBinding, Received, RemoveBinding, Used
from lab.safeguards import NOTHING, Without
from lab.wire.icmpv6 import DestinationUnreachable, EchoRequest
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag, CareOfTest, CareOfTestInit, HomeTest, HomeTestInit
from lab.wire.options import AlternateCareOfAddress, MobilityOption, NonceIndices
from lab.wire.packet import DestinationOptions, HomeAddressOption, Packet, Payload, build, mobility_packet, parse
from tests.engine.effects import of_kind, sent

PEER = IPv6Address("2001:db8:c::1")
HOME = IPv6Address("2001:db8:1::100")
CARE_OF = IPv6Address("2001:db8:a1::2")
OTHER_CARE_OF = IPv6Address("2001:db8:a2::2")
ROUTER = IPv6Address("2001:db8:a1::1")
COOKIE = b"a cookie"
A, H = BindingUpdateFlag.ACKNOWLEDGE, BindingUpdateFlag.HOME_REGISTRATION
NO_FLAGS = BindingUpdateFlag(0)


def arrived(packet: Packet) -> Received:
    """Let a packet arrive as it would from the wire."""
    return Received(packet=parse(build(packet)), interface="cn-eth0")


def carried(payload: Payload, *, source: IPv6Address = CARE_OF, home: IPv6Address | None = None) -> Received:
    """Make a received packet, with a Home Address option or without."""
    headers = () if home is None else (DestinationOptions(options=(HomeAddressOption(home_address=home),)),)
    return arrived(Packet(source=source, destination=PEER, headers=headers, payload=payload))


def echo(home: IPv6Address | None = HOME, source: IPv6Address = CARE_OF) -> Received:
    """Make a packet of an upper layer."""
    return carried(EchoRequest(identifier=1, sequence=1), source=source, home=home)


def unreachable(home: IPv6Address = HOME, care_of: IPv6Address = CARE_OF) -> Received:
    """Make an ICMPv6 error about a packet that went straight to a mobile node."""
    straight = mobility_packet(PEER, care_of, HomeTestInit(cookie=COOKIE), routed_home_address=home)
    return carried(DestinationUnreachable(code=3, invoking=build(straight)), source=ROUTER)


@dataclass(frozen=True)
class Tokens:
    """What return routability gave, and when."""

    home: HomeTest
    care_of: CareOfTest
    got: float = 0.0


@dataclass
class Bench:
    """A correspondent with its clock and the bindings of its data plane."""

    config: CorrespondentConfig = field(default_factory=CorrespondentConfig)
    own_home_address: IPv6Address | None = None
    without: Without = NOTHING
    now: float = 1000.0
    used: bool = True
    """Whether the data plane says that a binding is in use."""
    installed: dict[IPv6Address, IPv6Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = () if self.own_home_address is None else (self.own_home_address,)
        self.node = Correspondent(self.config, Secrets(b"bench"), home_addresses=own, without=self.without)

    def take(self, happened: Input) -> list[Effect]:
        """Hand one input over, and carry the effects out."""
        effects = self.node.handle(happened, self.now)
        for effect in effects:
            match effect:
                case InstallBinding(home_address=home_address, care_of_address=care_of_address):
                    self.installed[home_address] = care_of_address
                case RemoveBinding(home_address=home_address):
                    self.installed.pop(home_address, None)
                case _:
                    pass
        return effects

    def tokens(self, home: IPv6Address = HOME, care_of: IPv6Address = CARE_OF) -> Tokens:
        """Do both tests."""
        (home_answer,) = sent(self.take(carried(HomeTestInit(cookie=COOKIE), source=home)))
        (care_of_answer,) = sent(self.take(carried(CareOfTestInit(cookie=COOKIE), source=care_of)))
        assert isinstance(home_answer.payload, HomeTest)
        assert isinstance(care_of_answer.payload, CareOfTest)
        return Tokens(home_answer.payload, care_of_answer.payload, self.now)

    def update(
        self,
        sequence: int = 1,
        *,
        tokens: Tokens | None = None,
        lifetime: int = 420,
        flags: BindingUpdateFlag = A,
        home: IPv6Address = HOME,
        care_of: IPv6Address = CARE_OF,
        source: IPv6Address | None = None,
    ) -> Received:
        """Make a Binding Update that is signed with tokens, new ones if none are given."""
        tokens = tokens or self.tokens(home, care_of)
        source = source or care_of
        options: tuple[MobilityOption, ...] = (
            NonceIndices(home=tokens.home.nonce_index, care_of=tokens.care_of.nonce_index),
        )
        if source != care_of:
            options += (AlternateCareOfAddress(address=care_of),)
        message = BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options)
        packet = mobility_packet(source, PEER, message, home_address=None if source == home else home)
        deletes = lifetime == 0 or care_of == home
        key = binding_management_key(tokens.home.keygen_token, b"" if deletes else tokens.care_of.keygen_token)
        return arrived(sign(packet, key, home if deletes else care_of, PEER))

    def register(self, sequence: int = 1, *, lifetime: int = 420, care_of: IPv6Address = CARE_OF) -> list[Effect]:
        """Do both tests and register."""
        return self.take(self.update(sequence, lifetime=lifetime, care_of=care_of))

    def pass_time(self, seconds: float) -> list[Effect]:
        """Let time pass, stopping at every deadline on the way and telling whether bindings are used."""
        end = self.now + seconds
        effects: list[Effect] = []
        while (due := self.node.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            reached = self.take(DeadlineReached())
            effects += reached
            for asked in of_kind(reached, AskUse):
                effects += self.take(Used(home_address=asked.home_address, peer=asked.peer, used=self.used))
        self.now = end
        return effects

    def states(self) -> dict[IPv6Address, str]:
        """Home addresses and their states."""
        return {IPv6Address(entry["home_address"]): entry["state"] for entry in self.node.snapshot(self.now)}
