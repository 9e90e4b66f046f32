"""A node with security associations: octets in, octets out, and the daemon's own code between them."""

from collections import deque
from collections.abc import Sequence
from ipaddress import IPv6Address

from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.daemon.dispatcher import Dispatcher
from lab.daemon.service import Service
from lab.engine.io import DeadlineReached, Engine, Input
from lab.events import Event, PacketDropped
from lab.plane.ipsec import Ipsec
from lab.plane.memory import MemoryPlane
from lab.wire.packet import Packet


class UntouchedPlane(MemoryPlane):
    """A plane that leaves all packets to the engine, and keeps those of the tunnel."""

    def __init__(self) -> None:
        super().__init__()
        self.detunnelled: list[bytes] = []

    def take(self, packet: bytes) -> bool:
        return False

    def take_opened(self, packet: bytes, outer_source: IPv6Address) -> None:
        self.detunnelled.append(packet)


class Protected(Service):
    """A service that opens no sockets, with a clock that stands until it is moved."""

    def __init__(self, engine: Engine, protections: Sequence[Protection], *, at_home_agent: bool) -> None:
        self.engine = engine
        self.now = 1000.0
        self.sent: list[bytes] = []
        self.events: list[Event] = []
        self.plane = UntouchedPlane()
        self._arriving: deque[tuple[bytes, str]] = deque()
        policy = Policy(protections, at_home_agent=at_home_agent)
        self._ipsec = Ipsec(policy, Secrets(bytes((at_home_agent,))), self._on_dropped)
        self._plane = self.plane  # type: ignore[assignment] # as far as it is asked
        self._mobility = self  # type: ignore[assignment] # as far as it is asked
        self._dispatcher = Dispatcher(
            engine,
            self.plane,
            self,
            journal=self.events.append,
            clock=lambda: self.now,
            arm=lambda _: None,
        )

    def arrive(self, octets: bytes, interface: str = "eth0") -> list[bytes]:
        """Take a packet from the wire; give what is sent thereupon."""
        before = len(self.sent)
        self._arriving.append((octets, interface))
        self._on_mobility()
        return self.sent[before:]

    def feed(self, happened: Input) -> list[bytes]:
        """Take another input; give what is sent thereupon."""
        before = len(self.sent)
        self._dispatcher.feed(happened)
        return self.sent[before:]

    def pass_time(self, seconds: float) -> list[tuple[float, bytes]]:
        """Let time pass, stopping at every deadline on the way; give what is sent, and when."""
        end, seen = self.now + seconds, []
        while (due := self._dispatcher.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            seen += [(self.now, octets) for octets in self.feed(DeadlineReached())]
        self.now = end
        return seen

    def drops(self) -> list[str]:
        """Give the reasons of the packets that were dropped so far."""
        return [event.reason for event in self.events if isinstance(event, PacketDropped)]

    # What it sends by (lab.daemon.dispatcher.Outlet), and receives by

    def send(self, packet: Packet, interface: str | None) -> None:
        self.sent.append(self._ipsec.write(packet))

    def receive(self) -> tuple[bytes, str] | None:
        return self._arriving.popleft() if self._arriving else None

    def join(self, interface: str, group: IPv6Address) -> None:
        """Join nothing."""

    def leave(self, interface: str, group: IPv6Address) -> None:
        """Leave nothing."""

    def join_anycast(self, interface: str, address: IPv6Address) -> None:
        """Join nothing."""
