"""The Binding Update List entry of the home agent, RFC 6275 §11.1, §11.7 and §11.8: sequence, retries, refresh."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from ipaddress import IPv6Address

from lab.constants import (
    ACCEPTED_BELOW,
    INITIAL_BINDACK_TIMEOUT,
    LIFETIME_UNIT,
    MAX_BINDACK_TIMEOUT,
    Status,
)
from lab.engine.config import MobileNodeConfig
from lab.engine.correspondent_registration import REST
from lab.engine.io import Effect, Instant, Report, Send
from lab.engine.sending_limit import SendingLimit
from lab.engine.sequence import farthest, following
from lab.events import BindingAcknowledged, BindingRefused, BindingUpdateSent, HomeAgentUnable
from lab.wire.icmpv6 import UNRECOGNIZED_NEXT_HEADER, ParameterProblem
from lab.wire.invoking import read_invoking
from lab.wire.mobility import MOBILITY_HEADER, BindingAcknowledgement, BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress, BindingRefreshAdvice, MobilityOption
from lab.wire.packet import Packet, mobility_packet

REFRESH_AT = 0.8
"""The part of a lifetime after which a binding is renewed unless the home agent advises otherwise (§11.7.1)."""


class Outcome(Enum):
    """What a Binding Acknowledgement means for the mobile node."""

    IGNORED = auto()
    ACCEPTED = auto()
    RETRY = auto()
    NOT_BOUND = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the home agent; from the home address itself if that is the care-of address (§11.5.5)."""

    care_of_address: IPv6Address
    valid_until: Instant
    """The end of the care-of address and the home address, which no binding outlives (§11.7.1)."""
    link_local_compatible: bool
    ends: bool
    """Whether the binding is to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A Binding Update that awaits its acknowledgement."""

    sequence: int
    lifetime: int
    sent: Instant
    attempt: int
    timeout: float


class HomeRegistration:
    """The binding at the home agent as the mobile node knows it."""

    def __init__(self, config: MobileNodeConfig, limit: SendingLimit) -> None:
        self._config = config
        self.home_agent = config.home_agent
        """Whom the binding is at, or is to be at; None while no home agent is known."""
        self._sequence = config.initial_sequence
        self._request: Request | None = None
        self._pending: Pending | None = None
        self._due: Instant | None = None
        self._limit = limit
        self._last_sent: Instant = float("-inf")
        self._timeouts = 0
        self._has_answered = False
        self._rests_until: Instant = float("-inf")
        self._confirmed = False
        self._guesses = False
        """Whether the sequence number that the home agent knows is to be guessed."""
        self._expires: Instant = 0.0
        self._may_exist_until: Instant = 0.0

    @property
    def sequence(self) -> int:
        """The last sequence number used."""
        return self._sequence

    @property
    def care_of_address(self) -> IPv6Address | None:
        """What the last request asked to be bound."""
        return None if self._request is None else self._request.care_of_address

    @property
    def state(self) -> str:
        """A word for people: none, pending or registered."""
        if self._request is None:
            return "none"
        return "pending" if self._pending is not None or not self._confirmed else "registered"

    def remaining(self, now: Instant) -> float:
        """Seconds until the acknowledged binding ends."""
        return max(self._expires - now, 0.0) if self._confirmed else 0.0

    @property
    def acknowledged_until(self) -> Instant | None:
        """The end of the acknowledged binding, past or to come; None if none was acknowledged."""
        return self._expires if self._confirmed else None

    @property
    def may_exist_until(self) -> Instant:
        """Until when the home agent may hold a binding, acknowledged or not."""
        return self._may_exist_until

    @property
    def lasts(self) -> bool:
        """Whether a binding is asked for, and not its end."""
        return self._request is not None and not self._request.ends

    @property
    def last_sent(self) -> Instant:
        """When the last Binding Update went to this home agent."""
        return self._last_sent

    def may_exist(self, now: Instant) -> bool:
        """Tell whether the home agent may hold a binding, acknowledged or not."""
        return now < self._may_exist_until

    def is_unanswered(self, now: Instant) -> bool:
        """Tell whether as many time-outs as are waited for pass with this instant, whatever moves were between."""
        due = self._pending is not None and self._due is not None and self._due <= now
        return due and self._timeouts + 1 >= self._config.home_agent_attempts

    def turn_to(self, home_agent: IPv6Address | None) -> None:
        """Have to do with another home agent, which knows of nothing yet; sequence numbers go on."""
        self.home_agent = home_agent
        self.abandon()
        self._last_sent = self._rests_until = float("-inf")
        self._timeouts, self._has_answered, self._may_exist_until, self._guesses = 0, False, 0.0, False

    def suspect(self, now: Instant) -> None:
        """Hold it for possible that the home agent has a binding from before a restart.

        It may be unable to tell its sequence number: its answer to the home address goes into the tunnel that is
        still there. Of two numbers that are half of all apart, one is newer than whatever it knows (§9.5.1).
        """
        self._may_exist_until, self._guesses = now + self._config.lifetime, True

    def request(self, request: Request, now: Instant) -> list[Effect]:
        """Begin a registration, or the end of one, in place of what was asked before."""
        known = self.may_exist(now)
        self._request, self._pending, self._confirmed = request, None, False
        first = INITIAL_BINDACK_TIMEOUT if known else self._config.first_bindack_timeout  # §11.8
        return self._send(attempt=1, timeout=first, now=now)

    def renew(self, now: Instant) -> list[Effect]:
        """Ask again before the time, unless an answer is awaited."""
        if self._request is None or self._pending is not None:
            return []
        return self._send(attempt=1, timeout=INITIAL_BINDACK_TIMEOUT, now=now)

    def limit(self, valid_until: Instant, now: Instant) -> list[Effect]:
        """Take the end of the addresses as it is now; a binding that outlives it is shortened at once (§11.7.1)."""
        request = self._request
        if request is None or request.ends:
            return []
        self._request = replace(request, valid_until=valid_until)
        outlives = self._confirmed and valid_until + LIFETIME_UNIT < self._expires
        return self.renew(now) if outlives else []

    def abandon(self) -> None:
        """Ask no more."""
        self._request = self._pending = self._due = None
        self._confirmed = False

    def acknowledged(self, acknowledgement: BindingAcknowledgement, now: Instant) -> tuple[list[Effect], Outcome]:
        """Take a Binding Acknowledgement that came from the home agent (§11.7.3)."""
        request, pending = self._request, self._pending
        if request is None or pending is None:
            return [], Outcome.IGNORED
        status = acknowledgement.status
        if status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW or acknowledgement.sequence == pending.sequence:
            self._timeouts, self._guesses, self._has_answered = 0, False, True
        if status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:  # its sequence number is the home agent's, not ours
            self._sequence = acknowledgement.sequence
            return [self._refused(status), *self._send(pending.attempt, pending.timeout, now)], Outcome.RETRY
        if acknowledgement.sequence != pending.sequence:
            return [], Outcome.IGNORED
        if status < ACCEPTED_BELOW:
            return self._accepted(request, pending, acknowledgement, now), Outcome.ACCEPTED
        refused: list[Effect] = [self._refused(status)]
        if pending.lifetime == 0 and status == Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE:
            self.abandon()
            self._may_exist_until = now
            return refused, Outcome.NOT_BOUND
        return refused, Outcome.REFUSED  # the next try comes with the running back-off

    def parameter_problem(self, problem: ParameterProblem, now: Instant) -> list[Effect]:
        """Leave the home agent in peace for a while if it does not know Binding Updates (§11.3.5).

        One that has answered an earlier one knows them: that would be somebody else's word.
        """
        request, about = self._request, read_invoking(problem.invoking)
        if request is None or self._pending is None or self._has_answered or about is None:
            return []
        ours = (about.source, about.destination) == (request.care_of_address, self.home_agent)
        if not ours or about.next_header != MOBILITY_HEADER or problem.code != UNRECOGNIZED_NEXT_HEADER:
            return []
        assert self.home_agent is not None
        self._pending, self._may_exist_until = None, now
        self._due = self._rests_until = now + REST
        return [Report(event=HomeAgentUnable(home_agent=self.home_agent))]

    def deadline(self) -> Instant | None:
        """When a Binding Update is to be sent."""
        return self._due

    def advance(self, now: Instant) -> list[Effect]:
        """Retransmit or refresh if that is due."""
        if self._due is None or self._due > now:
            return []
        pending = self._pending
        if pending is None:
            return self._send(attempt=1, timeout=INITIAL_BINDACK_TIMEOUT, now=now)
        self._timeouts += 1
        return self._send(pending.attempt + 1, min(2 * pending.timeout, MAX_BINDACK_TIMEOUT), now)

    def _send(self, attempt: int, timeout: float, now: Instant) -> list[Effect]:
        """Send the request under a new sequence number, unless that would be too often (§11.8)."""
        request = self._request
        assert request is not None
        assert self.home_agent is not None
        resting = now < self._rests_until
        wait = self._rests_until if resting else self._limit.take(self.home_agent, BindingUpdate.MH_TYPE, now)
        if wait is not None:
            self._due = wait
            return []
        self._last_sent = now
        again = attempt > 1 and self._guesses
        self._sequence = farthest(self._sequence) if again else following(self._sequence)
        lifetime = self._lifetime(request, now)
        self._pending = Pending(sequence=self._sequence, lifetime=lifetime, sent=now, attempt=attempt, timeout=timeout)
        self._due = now + timeout
        self._may_exist_until = max(self._may_exist_until, now + lifetime)
        sent = BindingUpdateSent(
            peer=self.home_agent,
            home_address=self._config.home_address,
            care_of_address=request.care_of_address,
            sequence=self._sequence,
            lifetime=lifetime,
            attempt=attempt,
        )
        packet = self._binding_update(request, self.home_agent, lifetime)
        at_home = request.care_of_address == self._config.home_address
        return [Send(packet=packet, interface=self._config.interface if at_home else None), Report(event=sent)]

    def _lifetime(self, request: Request, now: Instant) -> int:
        if request.ends:
            return 0
        seconds = min(float(self._config.lifetime), request.valid_until - now)
        return max(int(seconds) // LIFETIME_UNIT, 1) * LIFETIME_UNIT

    def _binding_update(self, request: Request, home_agent: IPv6Address, lifetime: int) -> Packet:
        flags = BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
        if request.link_local_compatible:
            flags |= BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY
        home_address = self._config.home_address
        options: tuple[MobilityOption, ...] = ()
        if lifetime:
            options = (AlternateCareOfAddress(address=request.care_of_address),)  # §5.1, §11.7.1
        update = BindingUpdate(sequence=self._sequence, flags=flags, lifetime=lifetime, options=options)
        if request.care_of_address == home_address:  # §11.5.5: from the home address itself
            return mobility_packet(home_address, home_agent, update)
        return mobility_packet(request.care_of_address, home_agent, update, home_address=home_address)

    def _accepted(
        self, request: Request, pending: Pending, acknowledgement: BindingAcknowledgement, now: Instant
    ) -> list[Effect]:
        self._pending, self._confirmed = None, True
        granted = min(acknowledgement.lifetime, pending.lifetime)
        # §11.7.3: what passed since the Binding Update left is already gone from the lifetime
        remaining = max(granted - (now - pending.sent), 0.0)
        self._expires = self._may_exist_until = now + remaining
        if pending.lifetime == 0:
            self.abandon()
        else:
            self._due = now + self._refresh_after(acknowledgement, remaining)
        assert self.home_agent is not None
        event = BindingAcknowledged(
            peer=self.home_agent,
            home_address=self._config.home_address,
            care_of_address=request.care_of_address,
            sequence=acknowledgement.sequence,
            lifetime=int(remaining),
            status=acknowledgement.status,
        )
        return [Report(event=event)]

    @staticmethod
    def _refresh_after(acknowledgement: BindingAcknowledgement, remaining: float) -> float:
        advice = [o.refresh_interval for o in acknowledgement.options if isinstance(o, BindingRefreshAdvice)]
        return max(min([remaining * REFRESH_AT, *(float(a) for a in advice if 0 < a < remaining)]), 1.0)

    def _refused(self, status: int) -> Report:
        assert self._pending is not None
        assert self.home_agent is not None
        event = BindingRefused(
            peer=self.home_agent,
            home_address=self._config.home_address,
            sequence=self._pending.sequence,
            status=status,
        )
        return Report(event=event)
