"""Rules about return routability: test inits, tests and their tokens, RFC 6275 §5.2, §9.4, §11.6 and §11.8."""

from collections.abc import Iterator
from itertools import pairwise

from lab.constants import INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT, MAX_NONCE_LIFETIME, MAX_UPDATE_RATE
from lab.verify.binding import JUST
from lab.verify.correspondence import Test, TestInit
from lab.verify.registration import SLACK
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

ANEW = 2
"""Who waits so many times the time-out that was due starts anew, with the first time-out."""


def _of_each(session: Session) -> Iterator[list[TestInit]]:
    """Give test inits by who asks, whom, and by type."""
    groups: dict[object, list[TestInit]] = {}
    for init in session.correspondence.test_inits:
        groups.setdefault((init.asker, init.peer, init.home), []).append(init)
    yield from groups.values()


@rule("test-init-plain", "Test inits carry neither a Home Address option nor a routing header", "6.1.3-a", "6.1.4-a")
def plain(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.3, §6.1.4."""
    for init in session.correspondence.test_inits:
        frame = init.frame
        option, header = frame.home_address, frame.routed_home_address
        wrong = f"Home Address option {option}" if option else f"routing header for {header}"
        findings.judge(frame, option is None and header is None, wrong)


@rule(
    "test-init-path",
    "Away from home a Home Test Init goes through the tunnel, a Care-of Test Init straight from the care-of address",
    "5.2.5-b",
    "11.6.1-a",
)
def path(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.5, §11.6.1; only where the mobile node itself was seen sending."""
    foreign = {link for home_address in session.home_addresses for link in session.foreign_links(home_address)}
    home_addresses = {update.home_address for update in session.updates if update.frame.home_address is not None}
    for init in session.correspondence.test_inits:
        carrier, frame = init.message.carrier, init.frame
        if carrier.link not in foreign or carrier.source_mac not in session.mobile_macs:
            continue
        if init.home:
            tunnelled = carrier.inner is frame and carrier.destination in session.home_agents
            right = tunnelled and frame.source in home_addresses
            findings.judge(frame, right, f"from {frame.source}, sent to {carrier.destination}")
        else:
            right = not init.message.tunnelled and frame.source not in home_addresses
            findings.judge(frame, right, f"from {frame.source}, sent to {carrier.destination}")


@rule("test-init-cookie", "Every test init has a cookie of its own", "5.2.3-a", "11.8-a")
def cookie(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.3."""
    for inits in _of_each(session):
        used: set[bytes] = set()
        for init in inits:
            findings.judge(init.frame, init.cookie not in used, f"cookie {init.cookie.hex()} again")
            used.add(init.cookie)


@rule(
    "test-init-retransmission",
    "An unanswered test init is repeated after its time-out, which doubles each time",
    "11.8-a",
)
def retransmission(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    for inits in _of_each(session):
        timeout = INITIAL_BINDACK_TIMEOUT
        for before, init in pairwise(inits):
            waited = init.frame.time - before.frame.time
            if _begins_anew(session, before, init) or waited >= ANEW * timeout:
                timeout = INITIAL_BINDACK_TIMEOUT
                continue
            findings.judge(init.frame, waited >= timeout * SLACK, f"after {waited:.3f} s, time-out {timeout} s")
            timeout = min(2 * timeout, MAX_BINDACK_TIMEOUT)


def _begins_anew(session: Session, before: TestInit, init: TestInit) -> bool:
    """Tell whether the one before was answered, or a link was arrived at since."""
    mac = before.message.carrier.source_mac
    answers = [
        test.frame.time
        for test in session.correspondence.tests
        if (test.home, test.to, test.peer, test.cookie) == (before.home, before.asker, before.peer, before.cookie)
    ]
    arrivals = [frame.time for frame in session.router_solicitations if frame.source_mac == mac]
    arrivals += [update.frame.time for update in session.moves if update.frame.source_mac == mac]
    arrivals += [update.frame.time for update in session.moves if update.home_address == before.asker]
    return any(before.frame.time <= time <= init.frame.time for time in (*answers, *arrivals))


@rule("test-init-rate", "No more than MAX_UPDATE_RATE test inits of a type to a peer in a second", "11.8-b")
def rate(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    groups: dict[object, list[TestInit]] = {}
    for init in session.correspondence.test_inits:
        mac = init.message.carrier.source_mac
        groups.setdefault((mac if mac in session.mobile_macs else init.asker, init.peer, init.home), []).append(init)
    for inits in groups.values():
        for position, init in enumerate(inits):
            recent = [other for other in inits[: position + 1] if init.frame.time - other.frame.time < SLACK]
            findings.judge(init.frame, len(recent) <= MAX_UPDATE_RATE, f"{len(recent)} within a second")


@rule(
    "test-answers",
    "Tests go to the address asked from, plainly, with the cookie that was asked",
    "9.4.3-a",
    "9.4.4-a",
    "5.2.5-b",
)
def answers(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.4.3, §9.4.4; what was asked just before the captures began may be answered in them."""
    of_each = {(inits[0].home, inits[0].asker, inits[0].peer): inits for inits in _of_each(session)}
    for test in session.correspondence.tests:
        inits = of_each.get((test.home, test.to, test.peer), [])
        asked = [init for init in inits if init.frame.time <= test.frame.time]
        if test.frame.routed_home_address is not None:
            findings.judge(test.frame, False, f"routing header for {test.frame.routed_home_address}")
        elif any(init.cookie == test.cookie for init in asked):
            findings.judge(test.frame, True, "")
        elif asked or session.came_up(test.frame, test.peer):
            findings.judge(test.frame, False, f"cookie {test.cookie.hex()} to {test.to}: not asked")


def _tokens_of_each(session: Session) -> Iterator[list[Test]]:
    """Give tests by correspondent and nonce index, in the order of time."""
    groups: dict[object, list[Test]] = {}
    for test in session.correspondence.tests:
        groups.setdefault((test.peer, test.index), []).append(test)
    yield from groups.values()


@rule("token-repeats", "The same nonce index and address give the same token", "5.2.4-a", "5.2.4-b", "5.2.5-a")
def tokens_repeat(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.4, §5.2.5: tokens are computed, not stored."""
    for tests in _tokens_of_each(session):
        first: dict[object, Test] = {}
        for test in tests:
            before = first.setdefault((test.home, test.to), test)
            if before is not test and test.frame.time - before.frame.time <= MAX_NONCE_LIFETIME:
                wrong = f"index {test.index}: {test.token.hex()} after {before.token.hex()}"
                findings.judge(test.frame, test.token == before.token, wrong)


@rule("nonce-lifetime", "A nonce gives and authorises nothing beyond MAX_NONCE_LIFETIME", "5.2.7-a", "5.2.2-a")
def nonce_lifetime(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.2.7: counted from the first token by it that is seen, which is later than its making."""
    begin = {(tests[0].peer, tests[0].index): tests[0].frame.time for tests in _tokens_of_each(session)}
    for tests in _tokens_of_each(session):
        for test in tests:
            age = test.frame.time - begin[test.peer, test.index]
            findings.judge(test.frame, age <= MAX_NONCE_LIFETIME + JUST, f"index {test.index} after {age:.1f} s")
    for acknowledgement in session.correspondence.acknowledgements:
        update = acknowledgement.update
        if update is None or not acknowledgement.accepts:
            continue
        by = [session.correspondence.home_test(update)]
        by += [] if update.ends else [session.correspondence.care_of_test(update)]
        for test in [test for test in by if test is not None]:
            age = acknowledgement.frame.time - begin[test.peer, test.index]
            wrong = f"index {test.index} accepted after {age:.1f} s"
            findings.judge(acknowledgement.frame, age <= MAX_NONCE_LIFETIME + JUST, wrong)
