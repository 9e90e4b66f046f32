"""Binding Updates, their acknowledgements, and which care-of address they put in force when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.constants import ACCEPTED_BELOW, LIFETIME_UNIT, Status
from lab.verify.esp import Association
from lab.verify.frame import Frame
from lab.verify.mobility_options import (
    BINDING_AUTHORIZATION_DATA,
    NONCE_INDICES,
    alternate_care_of_address,
    has,
)

ACKNOWLEDGE, HOME_REGISTRATION, LINK_LOCAL, KEY_MANAGEMENT = 0x8000, 0x4000, 0x2000, 0x1000
BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = 5, 6
JUST = 0.1
"""Seconds in which what belongs together may be seen in either order: captures see packets, not decisions."""
NONCES_EXPIRED = (Status.EXPIRED_HOME_NONCE_INDEX, Status.EXPIRED_CARE_OF_NONCE_INDEX, Status.EXPIRED_NONCES)


@dataclass(frozen=True, kw_only=True)
class Update:
    """A Binding Update, by its first sighting."""

    frame: Frame
    home_address: IPv6Address
    care_of_address: IPv6Address
    alternate: IPv6Address | None
    peer: IPv6Address
    """The home agent, or the correspondent node, if it is mobile too by its home address."""
    sequence: int
    flags: int
    lifetime: int

    @property
    def ends(self) -> bool:
        """It ends a binding (RFC 6275 §6.1.7)."""
        return self.lifetime == 0 or self.care_of_address == self.home_address

    @property
    def peers(self) -> tuple[IPv6Address, IPv6Address]:
        """Both sides: sequence numbers, rates and time-outs are counted for each pair."""
        return self.home_address, self.peer

    @property
    def is_home_registration(self) -> bool:
        """It has the H bit set."""
        return bool(self.flags & HOME_REGISTRATION)

    @property
    def is_authorised(self) -> bool:
        """It has what only a correspondent asks for (RFC 6275 §6.2.6, §6.2.7)."""
        return has(self.frame.payload, NONCE_INDICES, BINDING_AUTHORIZATION_DATA)


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """A Binding Acknowledgement, by its first sighting, with the update that it answers."""

    frame: Frame
    status: int
    sequence: int
    lifetime: int
    update: Update | None

    @property
    def accepts(self) -> bool:
        """Status below 128 (RFC 6275 §6.1.8)."""
        return self.status < ACCEPTED_BELOW


@dataclass(frozen=True, kw_only=True)
class Period:
    """From an accepting acknowledgement to the next: the care-of address that was in force; None: at home."""

    home_address: IPv6Address
    peer: IPv6Address
    care_of_address: IPv6Address | None
    begin: float
    end: float
    """When the next acknowledgement was seen; infinite for the last."""
    expires: float
    """When the granted lifetime ends; infinite at home."""
    acknowledgement: Acknowledgement
    first: bool
    """No binding preceded it in the captures."""

    def may_hold(self, time: float) -> bool:
        """Whether it can have been in force."""
        return self.begin <= time < self.end and time < self.expires + JUST

    def must_hold(self, time: float) -> bool:
        """Whether it must have been in force."""
        return self.begin < time < self.end and time < self.expires - JUST


def read_update(frame: Frame) -> Update | None:
    """Read a Binding Update; None for what is none."""
    message = frame.message
    if frame.message_type != BINDING_UPDATE or message is None or len(frame.payload) < 12:
        return None
    alternate = alternate_care_of_address(frame.payload)
    return Update(
        frame=frame,
        home_address=frame.sender,
        care_of_address=alternate or frame.source,
        alternate=alternate,
        peer=frame.receiver,
        sequence=message.seq,
        flags=int.from_bytes(frame.payload[8:10], "big"),
        lifetime=message.mhtime * LIFETIME_UNIT,
    )


def by_protection(updates: Sequence[Update]) -> tuple[list[Update], list[Update]]:
    """Part home registrations that came in the ESP of their home address from those that did not (RFC 6275 §5.1).

    An association is that of the first home address which it was seen to register.
    """
    owners: dict[Association, IPv6Address] = {}
    right: list[Update] = []
    wrong: list[Update] = []
    for update in updates:
        protection = update.frame.protection
        owner = owners.setdefault(protection.association, update.home_address) if protection is not None else None
        (right if owner == update.home_address else wrong).append(update)
    return right, wrong


def read_acknowledgement(frame: Frame, updates: Sequence[Update]) -> Acknowledgement | None:
    """Read a Binding Acknowledgement and find the update that it answers; None for what is none."""
    message = frame.message
    if frame.message_type != BINDING_ACKNOWLEDGEMENT or message is None:
        return None
    return Acknowledgement(
        frame=frame,
        status=message.status,
        sequence=message.seq,
        lifetime=message.mhtime * LIFETIME_UNIT,
        update=_answered(frame, message.seq, message.status, updates),
    )


def _answered(frame: Frame, sequence: int, status: int, updates: Sequence[Update]) -> Update | None:
    """Find the update: of the home address that is told, else, should that be missing, of the care-of address."""
    earlier = [u for u in updates if u.peer == frame.sender and u.frame.time <= frame.time]
    for own in (
        [update for update in earlier if update.home_address == frame.receiver],
        [update for update in earlier if update.frame.source == frame.destination],
    ):
        same = [update for update in own if update.sequence == sequence]
        # §6.1.8: with this status the sequence number is the peer's own.
        if status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            same = [update for update in own if update.frame.source == frame.destination] or own
        if same:
            return same[-1]
    return None


def periods(
    acknowledgements: Sequence[Acknowledgement], whose: Callable[[Update], tuple[IPv6Address, ...]]
) -> list[Period]:
    """Give which care-of address was in force when, for each that `whose` tells apart."""
    accepted = [(a, a.update) for a in acknowledgements if a.accepts and a.update is not None]
    found: list[Period] = []
    for one in sorted({whose(update) for _, update in accepted}):
        own = [(a, update) for a, update in accepted if whose(update) == one]
        bound_until = float("-inf")
        for position, (acknowledgement, update) in enumerate(own):
            begin = acknowledgement.frame.time
            expires = float("inf") if update.ends else begin + acknowledgement.lifetime
            found.append(
                Period(
                    home_address=update.home_address,
                    peer=update.peer,
                    care_of_address=None if update.ends else update.care_of_address,
                    begin=begin,
                    end=own[position + 1][0].frame.time if position + 1 < len(own) else float("inf"),
                    expires=expires,
                    acknowledgement=acknowledgement,
                    first=begin >= bound_until and not update.ends,
                )
            )
            bound_until = float("-inf") if update.ends else expires
    return found


def answers_correspondent_registration(frame: Frame) -> bool:
    """Tell whether an acknowledgement is none of a home agent's (RFC 6275 §9.5.4)."""
    if frame.message_type != BINDING_ACKNOWLEDGEMENT or frame.message is None:
        return False
    return frame.message.status in NONCES_EXPIRED or has(frame.payload, BINDING_AUTHORIZATION_DATA)
