"""Rules about registrations with correspondents, RFC 6275 §5.2.6, §6.2, §9.5 and §11.7.2."""

from lab.constants import MAX_RR_BINDING_LIFETIME, MAX_TOKEN_LIFETIME, MAX_UPDATE_RATE
from lab.verify.binding import HOME_REGISTRATION, JUST, KEY_MANAGEMENT, LINK_LOCAL, NONCES_EXPIRED, Update
from lab.verify.correspondence import Test
from lab.verify.frame import Frame
from lab.verify.mobility_options import binding_authorization_data, nonce_indices
from lab.verify.registration import OPTION_ALIGNMENT, SLACK
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

REFRESH_REQUESTS = 5
"""So many Binding Refresh Requests for one binding are still a few."""


@rule("cbu-flags", "Binding Updates to correspondents have the H, L and K bits clear", "11.7.2-a", "6.1.7-a")
def flags(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.2."""
    for update in session.correspondence.updates:
        wrong = update.flags & (HOME_REGISTRATION | LINK_LOCAL | KEY_MANAGEMENT)
        findings.judge(update.frame, not wrong, f"flags {update.flags:#06x}")


@rule(
    "cbu-home-address",
    "A correspondent registration comes from the care-of address with an aligned Home Address option",
    "6.3-a",
    "11.7.2-a",
)
def home_address(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.3, §11.7.2; only what deletes may come from the home address itself, without the option."""
    for update in session.correspondence.updates:
        frame = update.frame
        if frame.home_address is None:
            known = not session.home_addresses or frame.source in session.home_addresses
            findings.judge(frame, update.ends and known, f"no Home Address option, from {frame.source}")
            continue
        every, offset = OPTION_ALIGNMENT
        at = frame.home_address_option_at - 40
        aligned = at % every == offset and frame.home_address_option_at > frame.routing_header_at
        findings.judge(frame, aligned, f"the Home Address option is at {at}, not at {every}n+{offset} or out of order")


@rule(
    "cbu-options",
    "A correspondent registration has Nonce Indices, and Binding Authorization Data as its last option",
    "6.2.1-a",
    "6.2.6-a",
    "9.5.1-d",
)
def options(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.2.6, §6.2.7."""
    for update in session.correspondence.updates:
        if nonce_indices(update.frame.payload) is None:
            findings.judge(update.frame, False, "no Nonce Indices")
        else:
            findings.judge(update.frame, *_ends_in_authenticator(update.frame))


def _ends_in_authenticator(frame: Frame) -> tuple[bool, str]:
    data = binding_authorization_data(frame.payload)
    if data is None:
        return False, "no Binding Authorization Data"
    return data.end == len(frame.payload), "Binding Authorization Data is not the last option"


@rule("cbu-lifetime", "A correspondent registration asks for at most MAX_RR_BINDING_LIFETIME", "11.7.2-a")
def asked_lifetime(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.2."""
    for update in session.correspondence.updates:
        findings.judge(update.frame, update.lifetime <= MAX_RR_BINDING_LIFETIME, f"{update.lifetime} s")


@rule(
    "cbu-tokens",
    "The nonce indices of a correspondent registration came in tests to these very addresses, before it",
    "11.6.2-a",
    "11.7.2-a",
)
def tokens(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.6.2, §11.7.2; what deletes a binding needs no care-of token (§5.2.6)."""
    for update in session.correspondence.updates:
        indices = nonce_indices(update.frame.payload)
        if indices is None:
            continue
        home, care_of = session.correspondence.home_test(update), session.correspondence.care_of_test(update)
        if home is None and _would_be_seen(session, update, home=True):
            findings.judge(update.frame, False, f"no Home Test gave index {indices[0]} to {update.home_address}")
        elif care_of is None and not update.ends and _would_be_seen(session, update, home=False):
            findings.judge(update.frame, False, f"no Care-of Test gave index {indices[1]} to {update.care_of_address}")
        elif home is not None and (care_of is not None or update.ends):
            findings.judge(update.frame, True, "")


def _would_be_seen(session: Session, update: Update, *, home: bool) -> bool:
    """Tell whether the captures would hold the test: they hold others, or how the address came up."""
    address = update.home_address if home else update.care_of_address
    pair = (home, address, update.peer)
    inits = [init for init in session.correspondence.test_inits if (init.home, init.asker, init.peer) == pair]
    tests = [test for test in session.correspondence.tests if (test.home, test.to, test.peer) == pair]
    if any(frame.time <= update.frame.time for frame in [*(i.frame for i in inits), *(t.frame for t in tests)]):
        return True
    return not home and session.came_up(update.frame, address)


@rule("cbu-token-age", "Tokens are used no longer than MAX_TOKEN_LIFETIME", "5.2.7-c", "11.7.2-a")
def token_age(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.7."""
    for update in session.correspondence.updates:
        used: list[Test | None] = [session.correspondence.home_test(update)]
        used += [] if update.ends else [session.correspondence.care_of_test(update)]
        for test in [test for test in used if test is not None]:
            age = update.frame.time - test.frame.time
            kind = "home" if test.home else "care-of"
            findings.judge(update.frame, age <= MAX_TOKEN_LIFETIME + JUST, f"{kind} token of {age:.1f} s")


@rule(
    "cbu-authenticator",
    "The authenticator of a correspondent registration is that of the captured tokens",
    "5.2.6-a",
    "5.2.6-b",
    "15.4.6-a",
)
def authenticator(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.6, §6.2.7: recomputed; of what deletes a binding by the home token alone."""
    for update in session.correspondence.updates:
        _judge_authenticator(session, findings, update, update.frame)


def _judge_authenticator(session: Session, findings: Findings, update: Update, frame: Frame) -> None:
    expected, data = (
        session.correspondence.authenticator(update, frame.payload),
        binding_authorization_data(frame.payload),
    )
    if expected is not None and data is not None:
        findings.judge(frame, data.data == expected, f"{data.data.hex()}, not {expected.hex()}")


@rule(
    "cbu-after-home",
    "A correspondent hears of a care-of address only when the home agent has acknowledged it",
    "11.7.1-b",
)
def after_home(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.1, §11.7.2; at home, of the return only when the home agent has answered."""
    for update in session.correspondence.updates:
        own = [u for u in session.updates if u.home_address == update.home_address]
        known = [p for p in session.periods if p.home_address == update.home_address]
        before = [u for u in own if u.frame.time <= update.frame.time]
        if not known or not before:
            continue  # home registrations are not in the captures, or not readable
        if update.ends and update.frame.home_address is None:
            if not before[-1].ends and not session.home_links(update.home_address):
                continue  # it deregistered on its home link, which was not captured
            answers = [a for a in session.acknowledgements if a.update is not None and a.update.ends]
            answered = any(a.update in before and a.frame.time <= update.frame.time for a in answers)
            right = (before[-1].ends and answered) or not session.bound(update.home_address, update.frame.time)
            findings.judge(update.frame, right, "the home agent has not answered the deregistration")
        elif not update.ends and _registration_would_be_seen(session, update):
            in_force = [p.care_of_address for p in known if p.begin <= update.frame.time][-1:]
            wrong = (
                f"{update.care_of_address}, while the home agent had acknowledged {in_force[0] if in_force else None}"
            )
            findings.judge(update.frame, in_force == [update.care_of_address], wrong)


def _registration_would_be_seen(session: Session, update: Update) -> bool:
    """Tell whether the captures hold, or would hold, the home registration of a care-of address."""
    seen = any(own.care_of_address == update.care_of_address for own in session.updates)
    return seen or update.frame.source_mac in session.mobile_macs


@rule(
    "cba-authenticator",
    "A correspondent's acknowledgement ends in the right authenticator, unless nonces have expired",
    "9.5.4-a",
    "6.2.1-a",
    "5.2.6-b",
)
def acknowledgement_authenticator(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.4."""
    for acknowledgement in session.correspondence.acknowledgements:
        frame = acknowledgement.frame
        if acknowledgement.status in NONCES_EXPIRED:
            none = binding_authorization_data(frame.payload) is None
            findings.judge(frame, none, f"Binding Authorization Data with status {acknowledgement.status}")
            continue
        last, wrong = _ends_in_authenticator(frame)
        if not last or acknowledgement.update is None:
            findings.judge(frame, last, wrong)
        else:
            _judge_authenticator(session, findings, acknowledgement.update, frame)


@rule("cba-lifetime", "A correspondent grants at most MAX_RR_BINDING_LIFETIME", "9.5.2-a")
def granted_lifetime(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.2."""
    for acknowledgement in session.correspondence.acknowledgements:
        if acknowledgement.accepts:
            right = acknowledgement.lifetime <= MAX_RR_BINDING_LIFETIME
            findings.judge(acknowledgement.frame, right, f"{acknowledgement.lifetime} s")


@rule(
    "refresh-requests",
    "Binding Refresh Requests are sent for bindings that exist, a few for each, and not too fast",
    "9.5.5-a",
)
def refresh_requests(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.5; a binding that was made before the captures began cannot be told from none."""
    requests = session.correspondence.refresh_requests
    for position, frame in enumerate(requests):
        pair = (frame.receiver, frame.sender)
        own = list(session.correspondence.of_pair(*pair)) + [
            p for p in session.periods if (p.home_address, p.peer) == pair
        ]
        now = [p for p in own if p.begin <= frame.time]
        if not now:
            if session.came_up(frame, frame.sender) and session.correspondence.asked(*pair):
                findings.judge(frame, False, f"no binding of {frame.receiver}")
            continue
        period = max(now, key=lambda p: p.begin)
        same = [
            other
            for other in requests[: position + 1]
            if (other.receiver, other.sender) == pair and other.time >= period.begin
        ]
        recent = [other for other in same if frame.time - other.time < SLACK]
        bound = period.care_of_address is not None and period.may_hold(frame.time)
        if not bound:
            findings.judge(frame, False, f"the binding of {frame.receiver} has ended")
        else:
            right = len(same) <= REFRESH_REQUESTS and len(recent) <= MAX_UPDATE_RATE
            findings.judge(frame, right, f"{len(same)} for one binding, {len(recent)} within a second")
