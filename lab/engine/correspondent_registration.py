"""The Binding Update List entry of one correspondent, RFC 6275 §11.1, §11.6 and §11.7.2 to §11.7.4."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

from lab.auth.return_routability import binding_management_key
from lab.auth.secrets import Secrets
from lab.constants import (
    ACCEPTED_BELOW,
    INITIAL_BINDACK_TIMEOUT,
    MAX_BINDACK_TIMEOUT,
    MAX_RO_FAILURE,
    Status,
)
from lab.engine.authorization import is_signed, sign
from lab.engine.config import MobileNodeConfig
from lab.engine.correspondent_states import (
    Binding,
    Bound,
    Deleting,
    EndReason,
    Expiring,
    Over,
    Resting,
    State,
    Testing,
    Update,
    Updating,
    answerable,
    binding_of,
    update_of,
)
from lab.engine.io import (
    AskUse,
    Effect,
    InstallRouteOptimisation,
    Instant,
    ListenFor,
    RemoveRouteOptimisation,
    Report,
    Send,
)
from lab.engine.mobility_header import drop
from lab.engine.return_routability import ReturnRoutability
from lab.engine.sending_limit import SendingLimit
from lab.engine.sequence import following
from lab.engine.whereabouts import Abroad, OnHomeLink, Whereabouts
from lab.events import (
    BindingAcknowledged,
    BindingRefused,
    BindingUpdateSent,
    KeygenTokenReceived,
    RouteOptimisationEnded,
    RouteOptimisationStarted,
)
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingUpdate,
    BindingUpdateFlag,
    CareOfTest,
    HomeTest,
)
from lab.wire.options import NonceIndices
from lab.wire.packet import Packet, mobility_packet

REFRESH_AT = 0.85
"""The part of a lifetime after which a binding is renewed: later than a peer would ask for it (§11.7.4)."""
REST = 300.0
"""Seconds without a new attempt after route optimisation with a peer failed (§11.7.2, §11.3.5)."""
RESTART_INTERVAL = 10.0
"""Binding Errors are not authenticated: they make the tests begin anew once in so many seconds (§11.3.6)."""
EXPIRED_NONCES = (Status.EXPIRED_HOME_NONCE_INDEX, Status.EXPIRED_CARE_OF_NONCE_INDEX, Status.EXPIRED_NONCES)


class CorrespondentRegistration:
    """Route optimisation with one peer.

    Methods that take a message give None where it fits nothing that this entry awaits. `without`: see
    `lab.safeguards`.
    """

    def __init__(
        self,
        config: MobileNodeConfig,
        peer: IPv6Address,
        sequence: int,
        secrets: Secrets,
        limit: SendingLimit,
        without: Without = NOTHING,
    ) -> None:
        self._without = without
        self._home_address = config.home_address
        self._asked_lifetime = config.binding_lifetime
        self._wants_answer = config.acknowledged_registrations
        self._peer = peer
        self._limit = limit
        self._state: State = Testing()
        self._sequence = sequence
        self._may_exist_until: Instant = float("-inf")
        self._failures = 0
        self._restarted: Instant = float("-inf")
        self._tests = ReturnRoutability(config.home_address, peer, secrets, limit)

    @property
    def sequence(self) -> int:
        """The last sequence number used."""
        return self._sequence

    @property
    def is_over(self) -> bool:
        """Whether the entry can be forgotten."""
        return isinstance(self._state, Over)

    def may_exist(self, now: Instant) -> bool:
        """Tell whether the peer may hold a binding, acknowledged or not."""
        return now < self._may_exist_until

    def snapshot(self, now: Instant) -> dict[str, Any]:
        """Describe the entry; the state is testing, updating, bound, expiring, deleting or resting."""
        binding, update = binding_of(self._state), update_of(self._state)
        care_of = update.care_of_address if update is not None else None if binding is None else binding.care_of_address
        return {
            "peer": str(self._peer),
            "home_address": str(self._home_address),
            "care_of_address": None if care_of is None else str(care_of),
            "state": type(self._state).__name__.lower(),
            "sequence": self._sequence,
            "remaining": 0.0 if binding is None else round(max(binding.expires - now, 0.0), 3),
            "home_token_age": _rounded(self._tests.home.age(now)),
            "care_of_token_age": _rounded(self._tests.care_of.age(now)),
        }

    # Where the mobile node is

    def proceed(
        self, where: Whereabouts, now: Instant, attempt: int = 1, timeout: float = INITIAL_BINDACK_TIMEOUT
    ) -> list[Effect]:
        """Do what can be done next towards the binding, or towards its end."""
        match self._state, where:
            case Testing(binding=binding), Abroad():
                return self._prepare(binding, where, attempt, timeout, now)
            case Deleting(update=None), OnHomeLink(tunnelled=tunnelled):
                return self._delete(attempt, timeout, tunnelled, now)
            case ((Bound(binding=binding) | Expiring(binding=binding)), Abroad()) if where.is_outlived_by(
                binding.expires
            ):
                return self.renew(where, now)
            case _:
                return []

    def leave(self, reason: EndReason, now: Instant) -> list[Effect]:
        """Give the care-of address up, or the home link: packets take the tunnel until all is done anew."""
        effects = self._close(reason)
        self._tests.withdraw()  # the answers would go where the mobile node is not any more
        if not isinstance(self._state, Resting) or self.may_exist(now):  # §11.7.2: every peer is told of a move
            self._state = Testing()
        return effects

    def come_home(self, now: Instant) -> list[Effect]:
        """Delete what the peer may hold, once the home agent holds nothing (§11.7.2)."""
        if self.may_exist(now):
            self._state = Deleting()
        elif not isinstance(self._state, Resting):
            return self._end()
        return []

    # What arrives

    def tested(
        self, message: HomeTest | CareOfTest, to: IPv6Address, where: Whereabouts, now: Instant
    ) -> list[Effect] | None:
        """Take a Home Test or Care-of Test that came to the right address in the right way (§11.6.2)."""
        kind, test = ("home", self._tests.home) if isinstance(message, HomeTest) else ("care-of", self._tests.care_of)
        if not test.answer(to, message):
            return None
        event = KeygenTokenReceived(
            peer=self._peer, home_address=self._home_address, kind=kind, nonce_index=message.nonce_index
        )
        return [Report(event=event), *self.proceed(where, now)]

    def acknowledged(
        self, packet: Packet, acknowledgement: BindingAcknowledgement, where: Whereabouts, now: Instant
    ) -> list[Effect] | None:
        """Take a Binding Acknowledgement (§11.7.3)."""
        update = answerable(self._state)
        addressed = packet.routed_home_address or packet.destination  # §6.4
        if update is None or packet.destination != update.care_of_address or addressed != self._home_address:
            return None
        status, answers = acknowledgement.status, acknowledgement.sequence == update.sequence
        if status in EXPIRED_NONCES:  # these come without authenticator: the peer has no key (§9.5.4)
            return self._test_again(status, update, where, now) if answers else None
        if not is_signed(packet, update.key, update.care_of_address, self._peer):
            return [drop(packet, "unauthorized-acknowledgement", f"#{acknowledgement.sequence}")]
        if status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:  # its sequence number is the peer's, not ours
            refused = self._refused(update, status)
            self._sequence = acknowledgement.sequence
            return [refused, *self._try_again(where, now)]
        if not answers:
            return None
        if status < ACCEPTED_BELOW:
            return self._accepted(update, acknowledgement, now)
        return [self._refused(update, status), *self.stop(EndReason.REFUSED, now)]

    def renew(self, where: Whereabouts, now: Instant) -> list[Effect]:
        """Renew the binding: it is in use, or the peer asks for it (§11.7.4)."""
        match self._state:
            case Bound(binding=binding) | Expiring(binding=binding):
                self._failures = 0  # nothing was said against it
                self._state = Testing(binding=binding)
                return self.proceed(where, now)
            case _:
                return []  # that is being done

    def unused(self) -> list[Effect]:
        """Let the binding run out: nobody uses it."""
        if isinstance(self._state, Expiring):
            self._state = replace(self._state, unused=True)
        return []

    def unknown_to_peer(self, where: Whereabouts, now: Instant) -> list[Effect] | None:
        """Begin anew: the peer says that it has no binding (§11.3.6)."""
        if isinstance(self._state, Deleting) or not self.may_exist(now):
            return None
        self._may_exist_until = now
        if isinstance(self._state, Resting):
            return []
        self._tests.forget()
        restarted, self._restarted = self._restarted, now
        if now < restarted + RESTART_INTERVAL:
            return self.stop(EndReason.UNKNOWN_BINDING, now, rest=RESTART_INTERVAL)
        closed = self._close(EndReason.UNKNOWN_BINDING)
        self._state = Testing()
        return closed + self.proceed(where, now)

    def unable(self, now: Instant) -> list[Effect] | None:
        """Stop: in place of an answer came that the peer does not know mobility messages (§11.3.5, §11.3.6)."""
        awaited = update_of(self._state) is not None or self._tests.await_answer
        if not awaited and Safeguard.AWAITED_ANSWER not in self._without:
            return None
        self._may_exist_until = now
        return self.stop(EndReason.UNABLE, now)

    def stop(self, reason: EndReason, now: Instant, rest: float = REST) -> list[Effect]:
        """End route optimisation with the peer for a while."""
        if isinstance(self._state, Deleting):
            return self._end()
        effects = self._close(reason) or [self._ended(reason)]
        self._tests.forget()
        self._state = Resting(until=now + rest)
        return effects

    # Time

    def deadline(self) -> Instant | None:
        """When anything is due."""
        due = [self._tests.deadline()]
        if (binding := binding_of(self._state)) is not None:
            due.append(binding.expires)
        match self._state:
            case Testing(resume=resume):
                due.append(resume)
            case Deleting(resume=resume):
                due += [resume, self._may_exist_until]
            case Bound(refresh=refresh):
                due.append(refresh)
            case Resting(until=until):
                due.append(until)
            case _:
                pass
        if (update := update_of(self._state)) is not None:
            due.append(update.deadline)
        return min((instant for instant in due if instant is not None), default=None)

    def advance(self, where: Whereabouts, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects = self._expire(now)
        match self._state:
            case Testing(resume=resume) | Deleting(resume=resume) if resume is not None and resume <= now:
                self._state = replace(self._state, resume=None)
                effects += self.proceed(where, now)
            case Bound(binding=binding, refresh=refresh) if refresh <= now:
                self._state = Expiring(binding=binding, unused=False)
                effects.append(AskUse(home_address=self._home_address, peer=self._peer))
            case Updating(update=update) | Deleting(update=Update() as update) if update.deadline <= now:
                effects += self._send_again(update, where, now)
            case Resting(until=until) if until <= now:
                effects += self._end()
            case _:
                pass
        return effects + self._advance_tests(where, now)

    def _expire(self, now: Instant) -> list[Effect]:
        """End what has run out: the binding, or what the peer might have held of one."""
        match self._state:
            case Deleting() if not self.may_exist(now):
                return self._end()
            case Expiring(binding=binding, unused=True) if binding.expires <= now:
                return self._close(EndReason.UNUSED) + self._end()
            case Bound(binding=binding) | Expiring(binding=binding) if binding.expires <= now:
                return self._close(EndReason.EXPIRED) + self._end()
            case Testing(binding=Binding(expires=expires)) | Updating(binding=Binding(expires=expires)) if (
                expires <= now
            ):
                effects = self._close(EndReason.EXPIRED)
                self._state = replace(self._state, binding=None)
                return effects
            case _:
                return []

    def _advance_tests(self, where: Whereabouts, now: Instant) -> list[Effect]:
        if isinstance(where, Abroad) and not where.is_registered(now):
            self._tests.home.withdraw()  # nothing comes through the tunnel; the test begins anew when it is back
        effects = self._tests.advance(now)
        return self.stop(EndReason.NO_ANSWER, now) if effects is None else effects

    # Binding Updates

    def _prepare(
        self, binding: Binding | None, where: Abroad, attempt: int, timeout: float, now: Instant
    ) -> list[Effect]:
        """Ask for the tokens that are missing; with both, send a Binding Update (§11.7.2)."""
        care_of_address = where.care_of_address
        # §11.7.1: the home agent first, or the answer would go where we were
        effects = self._tests.begin_home(now, tunnelled=True) if where.is_registered(now) else []
        effects += self._tests.begin_care_of(care_of_address, now)
        home_token, care_of_token = self._tests.tokens(care_of_address, now)
        lifetime = where.lifetime(self._asked_lifetime, now)
        if home_token is None or care_of_token is None or lifetime == 0 or self._waits(binding, lifetime, where):
            return effects
        wait = self._limit.take(self._peer, BindingUpdate.MH_TYPE, now)
        if wait is not None:
            self._state = Testing(binding=binding, resume=wait)
            return effects
        update = Update(
            sequence=following(self._sequence),
            care_of_address=care_of_address,
            lifetime=lifetime,
            key=binding_management_key(home_token.value, care_of_token.value),
            indices=NonceIndices(home=home_token.nonce_index, care_of=care_of_token.nonce_index),
            attempt=attempt,
            timeout=timeout,
            sent=now,
        )
        self._may_exist_until = max(self._may_exist_until, now + lifetime)
        effects += self._send(update)
        if self._wants_answer:
            self._state = Updating(binding=binding, update=update)
            return effects
        return effects + self._bind(update, lifetime, now, unacknowledged=update)

    def _waits(self, binding: Binding | None, lifetime: int, where: Abroad) -> bool:
        """Tell whether the home registration cuts the lifetime short and will itself be renewed in time."""
        if binding is None or where.renewal is None or lifetime >= self._asked_lifetime:
            return False
        if where.is_outlived_by(binding.expires):
            return False
        return where.renewal + INITIAL_BINDACK_TIMEOUT < binding.expires

    def _delete(self, attempt: int, timeout: float, tunnelled: bool, now: Instant) -> list[Effect]:
        """Delete the binding by the home token alone (§5.2.6, §11.7.2)."""
        token, _ = self._tests.tokens(self._home_address, now)
        if token is None:
            self._state = Deleting()
            return self._tests.begin_home(now, tunnelled=tunnelled)
        wait = self._limit.take(self._peer, BindingUpdate.MH_TYPE, now)
        if wait is not None:
            self._state = Deleting(resume=wait)
            return []
        update = Update(
            sequence=following(self._sequence),
            care_of_address=self._home_address,  # §6.2.7: what stands for it in the authenticator
            lifetime=0,
            key=binding_management_key(token.value),
            indices=NonceIndices(home=token.nonce_index, care_of=self._tests.care_of.nonce_index),
            attempt=attempt,
            timeout=timeout,
            sent=now,
        )
        self._state = Deleting(update=update)
        return self._send(update, tunnelled=tunnelled)

    def _send(self, update: Update, *, tunnelled: bool = False) -> list[Effect]:
        self._sequence = update.sequence
        wants_answer = self._wants_answer or update.lifetime == 0  # else the peer might go on with the binding
        message = BindingUpdate(
            sequence=update.sequence,
            flags=BindingUpdateFlag.ACKNOWLEDGE if wants_answer else BindingUpdateFlag(0),
            lifetime=update.lifetime,
            options=(update.indices,),
        )
        away = update.care_of_address != self._home_address
        home_address = self._home_address if away else None
        packet = mobility_packet(update.care_of_address, self._peer, message, home_address=home_address)
        event = BindingUpdateSent(
            peer=self._peer,
            home_address=self._home_address,
            care_of_address=update.care_of_address,
            sequence=update.sequence,
            lifetime=update.lifetime,
            attempt=update.attempt,
        )
        signed = sign(packet, update.key, update.care_of_address, self._peer)
        return [Send(packet=signed, tunnelled=tunnelled), Report(event=event)]

    def _send_again(self, update: Update, where: Whereabouts, now: Instant) -> list[Effect]:
        """Send a Binding Update that was not acknowledged again, under a new sequence number (§11.8)."""
        if update.attempt > MAX_RO_FAILURE:
            return self.stop(EndReason.NO_ANSWER, now)
        attempt, timeout = update.attempt + 1, min(2 * update.timeout, MAX_BINDACK_TIMEOUT)
        self._without_update()
        return self.proceed(where, now, attempt, timeout)  # asks first where a token has become too old meanwhile

    def _without_update(self) -> None:
        """Await no acknowledgement any more, but want the same."""
        match self._state:
            case Deleting():
                self._state = Deleting()
            case Updating(binding=binding):
                self._state = Testing(binding=binding)
            case _:
                self._state = Testing()

    # Acknowledgements

    def _accepted(self, update: Update, acknowledgement: BindingAcknowledgement, now: Instant) -> list[Effect]:
        self._failures = 0
        granted = min(acknowledgement.lifetime, update.lifetime)
        # §11.7.3: what passed since the Binding Update left is already gone from the lifetime
        remaining = max(granted - (now - update.sent), 0.0)
        self._may_exist_until = now + granted  # the peer counts from when it accepted
        event = BindingAcknowledged(
            peer=self._peer,
            home_address=self._home_address,
            care_of_address=update.care_of_address,
            sequence=acknowledgement.sequence,
            lifetime=int(remaining),
            status=acknowledgement.status,
        )
        if update.lifetime == 0:
            return [Report(event=event), *self._end()]
        if remaining == 0:
            return [Report(event=event), *self.stop(EndReason.REFUSED, now)]
        return [Report(event=event), *self._bind(update, remaining, now)]

    def _bind(
        self, update: Update, remaining: float, now: Instant, unacknowledged: Update | None = None
    ) -> list[Effect]:
        """Let packets go straight for the seconds that remain."""
        renewed = binding_of(self._state) is not None
        binding = Binding(care_of_address=update.care_of_address, expires=now + remaining)
        self._state = Bound(binding=binding, refresh=now + remaining * REFRESH_AT, unacknowledged=unacknowledged)
        return [] if renewed else self._open(binding)

    def _test_again(self, status: int, update: Update, where: Whereabouts, now: Instant) -> list[Effect]:
        """Ask for other tokens in place of those that the peer does not take any more (§11.7.3)."""
        if status != Status.EXPIRED_CARE_OF_NONCE_INDEX:
            self._tests.home.forget()
        if status != Status.EXPIRED_HOME_NONCE_INDEX:
            self._tests.care_of.forget()
        return [self._refused(update, status), *self._try_again(where, now)]

    def _try_again(self, where: Whereabouts, now: Instant) -> list[Effect]:
        self._failures += 1
        if self._failures > MAX_RO_FAILURE:
            return self.stop(EndReason.REFUSED, now)
        # Whoever was not asked for an answer refuses while packets go straight already.
        closed = self._close(EndReason.REFUSED) if isinstance(self._state, Bound) else []
        self._without_update()
        return closed + self.proceed(where, now)

    def _refused(self, update: Update, status: int) -> Report:
        event = BindingRefused(
            peer=self._peer, home_address=self._home_address, sequence=update.sequence, status=status
        )
        return Report(event=event)

    # The direct path

    def _open(self, binding: Binding) -> list[Effect]:
        care_of_address = binding.care_of_address
        started = RouteOptimisationStarted(
            peer=self._peer, home_address=self._home_address, care_of_address=care_of_address
        )
        return [
            InstallRouteOptimisation(home_address=self._home_address, peer=self._peer, care_of_address=care_of_address),
            Report(event=started),
        ]

    def _close(self, reason: EndReason) -> list[Effect]:
        if binding_of(self._state) is None:
            return []
        return [RemoveRouteOptimisation(home_address=self._home_address, peer=self._peer), self._ended(reason)]

    def _ended(self, reason: EndReason) -> Report:
        return Report(event=RouteOptimisationEnded(peer=self._peer, home_address=self._home_address, reason=reason))

    def _end(self) -> list[Effect]:
        self._state = Over()
        self._tests.forget()
        return [ListenFor(home_address=self._home_address, peer=self._peer)]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
