"""The two tests of return routability with one peer: cookies, repetition, tokens (RFC 6275 §5.2.5, §11.6)."""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.auth.return_routability import COOKIE_OCTETS
from lab.auth.secrets import Secrets
from lab.constants import INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT, MAX_RO_FAILURE, MAX_TOKEN_LIFETIME
from lab.engine.io import Effect, Instant, Send
from lab.engine.sending_limit import SendingLimit
from lab.wire.mobility import CareOfTest, CareOfTestInit, HomeTest, HomeTestInit
from lab.wire.packet import mobility_packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Nothing is known and nothing was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An init that MAX_UPDATE_RATE does not let go before the deadline (§11.8)."""

    source: IPv6Address
    tunnelled: bool
    attempt: int
    timeout: float
    deadline: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An init is on its way; only its own cookie counts."""

    source: IPv6Address
    tunnelled: bool
    attempt: int
    timeout: float
    deadline: Instant
    cookie: bytes
    sent: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A keygen token; `made` is when it was asked for, the earliest that the peer can have made it."""

    source: IPv6Address
    value: bytes
    nonce_index: int
    made: Instant


TestState: TypeAlias = Idle | Held | Asked | Token


class RoutabilityTest:
    """Asks for the home keygen token or the care-of keygen token of one peer, by the kind of init it is made for."""

    def __init__(
        self, init: type[HomeTestInit | CareOfTestInit], peer: IPv6Address, secrets: Secrets, limit: SendingLimit
    ) -> None:
        self._init = init
        self._peer = peer
        self._secrets = secrets
        self._limit = limit
        self._state: TestState = Idle()

    @property
    def awaits_answer(self) -> bool:
        """Whether the peer was asked and has not answered."""
        return isinstance(self._state, Asked)

    @property
    def is_exhausted(self) -> bool:
        """Whether the peer left as many inits unanswered as MAX_RO_FAILURE allows (§11.7.2)."""
        return isinstance(self._state, Asked) and self._state.attempt > MAX_RO_FAILURE

    @property
    def nonce_index(self) -> int:
        """The index of the nonce that the token was made from; 0 without a token."""
        return self._state.nonce_index if isinstance(self._state, Token) else 0

    def token(self, source: IPv6Address, now: Instant) -> Token | None:
        """Give the token for a source address; one that is too old is dropped (§5.2.7)."""
        match self._state:
            case Token(made=made) if now >= made + MAX_TOKEN_LIFETIME:
                self._state = Idle()
                return None
            case Token() as token if token.source == source:
                return token
            case _:
                return None

    def age(self, now: Instant) -> float | None:
        """Give the age of the token."""
        return now - self._state.made if isinstance(self._state, Token) else None

    def begin(self, source: IPv6Address, now: Instant, *, tunnelled: bool) -> list[Effect]:
        """Ask from a source address, unless its token is there or was asked for."""
        if self.token(source, now) is not None:
            return []
        if isinstance(self._state, Asked | Held) and self._state.source == source:
            return []
        timeout = INITIAL_BINDACK_TIMEOUT
        return self._send(Held(source=source, tunnelled=tunnelled, attempt=1, timeout=timeout, deadline=now), now)

    def withdraw(self) -> None:
        """Take no answer to what was asked; keep a token."""
        if isinstance(self._state, Asked | Held):
            self._state = Idle()

    def forget(self) -> None:
        """Keep nothing."""
        self._state = Idle()

    def answer(self, source: IPv6Address, message: HomeTest | CareOfTest) -> bool:
        """Take what came to an address; tell whether it answers the init that is on its way (§11.6.2)."""
        match self._state:
            case Asked(cookie=cookie, sent=sent) as asked if asked.source == source and cookie == message.cookie:
                self._state = Token(
                    source=source, value=message.keygen_token, nonce_index=message.nonce_index, made=sent
                )
                return True
            case _:
                return False

    def deadline(self) -> Instant | None:
        """When the init is to be sent again, or to be given up."""
        return self._state.deadline if isinstance(self._state, Asked | Held) else None

    def advance(self, now: Instant) -> list[Effect]:
        """Send the init that is due: if again, with twice the patience and another cookie (§11.8, §5.2.3)."""
        init = self._state
        if isinstance(init, Asked):
            init = Held(
                source=init.source,
                tunnelled=init.tunnelled,
                attempt=init.attempt + 1,
                timeout=min(2 * init.timeout, MAX_BINDACK_TIMEOUT),
                deadline=now,
            )
        return self._send(init, now) if isinstance(init, Held) else []

    def _send(self, init: Held, now: Instant) -> list[Effect]:
        wait = self._limit.take(self._peer, self._init.MH_TYPE, now)
        if wait is not None:
            self._state = replace(init, deadline=wait)
            return []
        cookie = self._secrets.octets(COOKIE_OCTETS)
        self._state = Asked(
            source=init.source,
            tunnelled=init.tunnelled,
            attempt=init.attempt,
            timeout=init.timeout,
            deadline=now + init.timeout,
            cookie=cookie,
            sent=now,
        )
        packet = mobility_packet(init.source, self._peer, self._init(cookie=cookie))  # §6.1.3: neither HAO nor RH2
        return [Send(packet=packet, tunnelled=init.tunnelled)]


class ReturnRoutability:
    """Both tests with one peer."""

    def __init__(self, home_address: IPv6Address, peer: IPv6Address, secrets: Secrets, limit: SendingLimit) -> None:
        self._home_address = home_address
        self.home = RoutabilityTest(HomeTestInit, peer, secrets, limit)
        self.care_of = RoutabilityTest(CareOfTestInit, peer, secrets, limit)

    @property
    def await_answer(self) -> bool:
        """Whether the peer was asked anything that it has not answered."""
        return self.home.awaits_answer or self.care_of.awaits_answer

    def begin_home(self, now: Instant, *, tunnelled: bool) -> list[Effect]:
        """Ask for the home keygen token, unless that is done or not necessary."""
        return self.home.begin(self._home_address, now, tunnelled=tunnelled)

    def begin_care_of(self, care_of_address: IPv6Address, now: Instant) -> list[Effect]:
        """Ask for the care-of keygen token, unless that is done or not necessary."""
        return self.care_of.begin(care_of_address, now, tunnelled=False)

    def tokens(self, care_of_address: IPv6Address, now: Instant) -> tuple[Token | None, Token | None]:
        """Give the tokens for the home address and a care-of address, as far as they are there and fresh."""
        return self.home.token(self._home_address, now), self.care_of.token(care_of_address, now)

    def withdraw(self) -> None:
        """Take no answer to what was asked; keep tokens."""
        self.home.withdraw()
        self.care_of.withdraw()

    def forget(self) -> None:
        """Keep nothing."""
        self.home.forget()
        self.care_of.forget()

    def deadline(self) -> Instant | None:
        """When anything is to be sent again, or to be given up."""
        due = (self.home.deadline(), self.care_of.deadline())
        return min((instant for instant in due if instant is not None), default=None)

    def advance(self, now: Instant) -> list[Effect] | None:
        """Send what is due again; None if the peer has been asked often enough (§11.7.2)."""
        effects: list[Effect] = []
        for test in (self.home, self.care_of):
            due = test.deadline()
            if due is None or due > now:
                continue
            if test.is_exhausted:
                return None
            effects += test.advance(now)
        return effects
