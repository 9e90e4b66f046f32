"""Two mobile nodes are each other's correspondents: a packet has a Home Address option and a routing header."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers import inet6
from scapy.layers.inet import UDP

from lab.verify import Verdict, verify
from tests.verify import correspondence, handover
from tests.verify.handover import CARE_OF_1, EVERYBODY, HA_HOME, HOME_ADDRESS, HOME_AGENT, TO_VISITED1
from tests.verify.story import Hop, Scapy, Story

HOME_B, CARE_OF_B, MN_B = "2001:db8:1::200", "2001:db8:a2::8", "02:00:00:00:09:00"
FROM_A, TO_A = handover.FROM_VISITED1, TO_VISITED1
FROM_B = (Hop("visited2", MN_B, handover.AR2_VISITED), Hop("core", handover.AR2_CORE, handover.HA_CORE))
TO_B = (Hop("core", handover.HA_CORE, handover.AR2_CORE), Hop("visited2", handover.AR2_VISITED, MN_B))
A_TO_B = (FROM_A[0], Hop("core", handover.AR1_CORE, handover.AR2_CORE), TO_B[1])
B_TO_A = (FROM_B[0], Hop("core", handover.AR2_CORE, handover.AR1_CORE), TO_A[1])
TOKENS_A, TOKENS_B = (b"hometokA", b"careoftA"), (b"hometokB", b"careoftB")
"""What B gave A, and A gave B."""


def both_headers(source: str, home: str, care_of: str, routed: str) -> Scapy:
    """Say the headers of a packet between mobile nodes that know each other's care-of address."""
    routing = inet6.IPv6ExtHdrRouting(type=2, addresses=[routed])
    return inet6.IPv6(src=source, dst=care_of) / routing / inet6.IPv6ExtHdrDestOpt(options=[inet6.HAO(hoa=home)])


def relayed(story: Story, name: str, time: float, packet: Scapy, *, by: str = "", to: str) -> None:
    """Have a packet go by the home agent: into it by a tunnel from a care-of address or plainly, out of it by one."""
    into, out = (FROM_A, TO_B) if to == CARE_OF_B else (FROM_B, TO_A)
    story.add(name, time, handover.tunnelled(by, HOME_AGENT, packet) if by else packet, *into)
    story.add(f"{name}-on", time + 0.002, handover.tunnelled(HOME_AGENT, to, packet), *out)


def two_mobile_nodes() -> Story:
    """Tell how each registers with the other."""
    story = Story()
    for link, mac, prefix in (
        ("home", HA_HOME, handover.HOME_PREFIX),
        ("visited1", handover.AR1_VISITED, handover.VISITED1_PREFIX),
        ("visited2", handover.AR2_VISITED, handover.VISITED2_PREFIX),
    ):
        advertisement = handover.router_advertisement(mac, prefix, home_agent=link == "home")
        story.add(f"ra-{link}", 0.1, advertisement, Hop(link, mac, EVERYBODY))
    story.add("chatter", 0.12, handover.data(handover.CORRESPONDENT, handover.NEIGHBOUR, 1), *handover.TO_HOME_AGENT)
    for name, home, care_of, there, back in (
        ("a", HOME_ADDRESS, CARE_OF_1, FROM_A, TO_A),
        ("b", HOME_B, CARE_OF_B, FROM_B, TO_B),
    ):
        update, answer = handover.binding_update(1, care_of), handover.acknowledgement(1, care_of)
        update[inet6.HAO].hoa = home
        answer[inet6.IPv6ExtHdrRouting].addresses = [home]
        story.add(f"bu-{name}", 1.1, update, *there)
        story.add(f"dad-{name}", 1.13, handover.neighbor_solicitation("::", home), Hop("home", HA_HOME, EVERYBODY))
        for time in (2.14, 3.14):
            proxy = handover.neighbor_advertisement(HOME_AGENT, home, HA_HOME)
            story.add(f"proxy-{name}-{time}", time, proxy, Hop("home", HA_HOME, EVERYBODY))
        story.add(f"ba-{name}", 2.15, answer, *back)
    _a_registers(story)
    _b_registers(story)
    for number, time in enumerate((5.0, 5.5)):
        there = both_headers(CARE_OF_1, HOME_ADDRESS, CARE_OF_B, HOME_B) / UDP(sport=6000 + number, dport=6275)
        back = both_headers(CARE_OF_B, HOME_B, CARE_OF_1, HOME_ADDRESS) / UDP(sport=6010 + number, dport=6275)
        story.add(f"a-to-b-{number}", time, there, *A_TO_B)
        story.add(f"b-to-a-{number}", time + 0.01, back, *B_TO_A)
    return story


def _a_registers(story: Story) -> None:
    """Have everything but the test init of the care-of address go by tunnels, as B's care-of address is not known."""
    home_token, care_of_token = TOKENS_A
    init = correspondence.home_test_init(b"cookie-a", peer=HOME_B)
    relayed(story, "hoti-a", 3.0, init, by=CARE_OF_1, to=CARE_OF_B)
    relayed(story, "coti-a", 3.0, correspondence.care_of_test_init(b"cookie-b", CARE_OF_1, peer=HOME_B), to=CARE_OF_B)
    test = correspondence.home_test(b"cookie-a", peer=HOME_B, token=home_token)
    relayed(story, "hot-a", 3.01, test, by=CARE_OF_B, to=CARE_OF_1)
    test = correspondence.care_of_test(b"cookie-b", CARE_OF_1, care_of_token, peer=HOME_B)
    _reversed(story, "cot-a", 3.01, test)
    update = correspondence.from_care_of(CARE_OF_1, peer=HOME_B) / correspondence.update(7)
    relayed(story, "cbu-a", 3.05, correspondence.signed(update, CARE_OF_1, *TOKENS_A, peer=HOME_B), to=CARE_OF_B)
    answer = correspondence.to_care_of(CARE_OF_1, peer=HOME_B) / correspondence.answer(7)
    _reversed(story, "cba-a", 3.06, correspondence.signed(answer, CARE_OF_1, *TOKENS_A, peer=HOME_B))


def _reversed(story: Story, name: str, time: float, packet: Scapy) -> None:
    """Have a packet of B leave by its tunnel, and go on to the care-of address of A as it is."""
    story.add(name, time, handover.tunnelled(CARE_OF_B, HOME_AGENT, packet), *FROM_B)
    story.add(f"{name}-on", time + 0.002, packet, *TO_A)


def _b_registers(story: Story) -> None:
    """Have the registration and its answer go straight, with both headers."""
    home_token, care_of_token = TOKENS_B
    init = correspondence.home_test_init(b"cookie-c", home=HOME_B, peer=HOME_ADDRESS)
    relayed(story, "hoti-b", 4.0, init, by=CARE_OF_B, to=CARE_OF_1)
    init = correspondence.care_of_test_init(b"cookie-d", CARE_OF_B, peer=HOME_ADDRESS)
    relayed(story, "coti-b", 4.0, init, to=CARE_OF_1)
    test = correspondence.home_test(b"cookie-c", home=HOME_B, peer=HOME_ADDRESS, token=home_token)
    relayed(story, "hot-b", 4.01, test, by=CARE_OF_1, to=CARE_OF_B)
    test = correspondence.care_of_test(b"cookie-d", CARE_OF_B, care_of_token, peer=HOME_ADDRESS)
    story.add("cot-b", 4.01, handover.tunnelled(CARE_OF_1, HOME_AGENT, test), *FROM_A)
    story.add("cot-b-on", 4.012, test, *TO_B)
    _straight(story, peer=HOME_ADDRESS)


def _straight(story: Story, *, peer: str) -> None:
    """Have B's registration signed for an address of A."""
    update = both_headers(CARE_OF_B, HOME_B, CARE_OF_1, HOME_ADDRESS) / correspondence.update(8)
    story.add("cbu-b", 4.05, correspondence.signed(update, CARE_OF_B, *TOKENS_B, peer=peer), *B_TO_A)
    answer = both_headers(CARE_OF_1, HOME_ADDRESS, CARE_OF_B, HOME_B) / correspondence.answer(8)
    story.add("cba-b", 4.06, correspondence.signed(answer, CARE_OF_B, *TOKENS_B, peer=HOME_ADDRESS), *A_TO_B)


def test_nothing_fails(tmp_path: Path) -> None:
    checks = verify(two_mobile_nodes().write(tmp_path))
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}
    seen = {check.id: check.detail for check in checks if check.verdict is Verdict.PASSED}
    assert {name: seen.get(name) for name in ("cbu-authenticator", "cba-authenticator", "test-answers")} == {
        "cbu-authenticator": "2 seen",
        "cba-authenticator": "2 seen",
        "test-answers": "4 seen",
    }
    assert {"direct-path", "direct-to-mobile", "direct-from-mobile", "test-init-path", "cbu-tokens"} <= set(seen)


@pytest.mark.parametrize("seen", [("core",), ("visited1",), ("visited2",), ("home", "core")], ids="+".join)
def test_what_was_not_captured_fails_no_rule(seen: tuple[str, ...], tmp_path: Path) -> None:
    checks = verify([path for path in two_mobile_nodes().write(tmp_path) if path.stem in seen])
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}


def _signed_for_the_care_of_address(story: Story) -> None:
    story.drop("cbu-b", "cba-b")
    _straight(story, peer=CARE_OF_1)


def _by_the_tunnel_although_known(story: Story) -> None:
    packet = handover.data(HOME_ADDRESS, HOME_B, 50)
    relayed(story, "triangle", 5.2, packet, by=CARE_OF_1, to=CARE_OF_B)


def _without_the_routing_header(story: Story) -> None:
    # B knows of A, and A of B; this one goes to A's home address all the same.
    option = inet6.IPv6ExtHdrDestOpt(options=[inet6.HAO(hoa=HOME_B)])
    packet = inet6.IPv6(src=CARE_OF_B, dst=HOME_ADDRESS) / option / UDP(sport=6050, dport=6275)
    relayed(story, "half", 5.2, packet, to=CARE_OF_1)


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (_signed_for_the_care_of_address, "cbu-authenticator"),
        (_by_the_tunnel_although_known, "direct-path"),
        (_without_the_routing_header, "direct-path"),
    ],
    ids=lambda value: getattr(value, "__name__", value).lstrip("_"),
)
def test_it_alone_fails(spoil: Callable[[Story], None], failed: str, tmp_path: Path) -> None:
    story = two_mobile_nodes()
    spoil(story)
    checks = verify(story.write(tmp_path))
    assert {check.id for check in checks if check.verdict is Verdict.FAILED} == {failed}


def test_what_a_tunnel_lets_out_late_has_left_in_time(tmp_path: Path) -> None:
    story = two_mobile_nodes()
    packet = handover.data(HOME_B, HOME_ADDRESS, 50)
    story.add("late", 3.055, handover.tunnelled(CARE_OF_B, HOME_AGENT, packet), *FROM_B)
    story.add("late-on", 3.9, handover.tunnelled(HOME_AGENT, CARE_OF_1, packet), *TO_A)
    checks = verify(story.write(tmp_path))
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}
