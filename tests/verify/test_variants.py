"""No false alarms: what conforms, or what the captures do not tell, fails no rule."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers import inet6

from lab.verify import Verdict, verify
from tests.verify import correspondence, handover, multicast, prefixes
from tests.verify import protected as esp
from tests.verify.handover import (
    CARE_OF_1,
    CARE_OF_2,
    FROM_VISITED1,
    FROM_VISITED2,
    HA_HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    MN,
    TO_VISITED1,
    TO_VISITED2,
)
from tests.verify.protected import protected
from tests.verify.story import Hop, Scapy, Story
from tests.verify.variant import VARIANTS, Variant, variant

IN_VAIN = "2001:db8:a1::7"
OUT_OF_WINDOW, DAD_FAILED, NOT_HOME_AGENT, NONCES_EXPIRED = 135, 134, 133, 138
RETURNING = ("home-announced", "home-deregistration", "home-waits", "proxy-ends")
LOSSES = ("bu-retransmission",)
DISCOVERY = ("discovery-request", "discovery-reply", "discovery-source", "discovery-retransmission")
MULTICAST = ("group-scope", "group-reported")
ANSWERED = ("prefix-identifier", "prefix-solicitation-repeated")
DHCPV6 = ("dhcpv6-answered", "dhcpv6-relayed")
PREFIXES = (*ANSWERED, "prefix-solicitation", "prefix-advertisement", "prefix-advertisement-repeated")
DELETION = ("direct-path-ends",)
CORRESPONDING = (
    *DELETION,
    "cba-authenticator",
    "cba-lifetime",
    "cbu-after-home",
    "cbu-authenticator",
    "cbu-flags",
    "cbu-home-address",
    "cbu-lifetime",
    "cbu-options",
    "cbu-token-age",
    "cbu-tokens",
    "direct-from-mobile",
    "direct-path",
    "direct-to-mobile",
    "home-link-plain",
    "nonce-lifetime",
    "old-care-of-address",
    "refresh-requests",
    "routing-header",
    "test-answers",
    "test-init-cookie",
    "test-init-path",
    "test-init-plain",
    "test-init-rate",
    "test-init-retransmission",
    "token-repeats",
)
UNHEARD = (
    "cba-authenticator",
    "cbu-authenticator",
    "cbu-tokens",
    "discovery-retransmission",
    "group-reported",
    "test-init-retransmission",
)
"""What cannot be told where captures began too late."""
ACCEPTING = (
    "ba-lifetime",
    "ba-prefix-status",
    "binding-within-prefix",
    "dad-before-ba",
    "home-no-dad",
    "nothing-intercepted-escapes",
    "proxy-announced",
    "proxy-answers",
    "proxy-repeated",
    "tunnel-current",
)
REGISTERED = ("esp-accepted", "esp-care-of-address", "esp-home-test", "esp-prefix", "esp-sequence")


@pytest.mark.parametrize("other", VARIANTS, ids=str)
def test_nothing_fails(other: Variant, good: Story, tmp_path: Path) -> None:
    story = good.copy()
    other.vary(story)
    checks = verify(story.write(tmp_path))
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}
    assert {check.id for check in checks if check.verdict is Verdict.NOT_APPLICABLE} == other.silent | set(esp.RULES)


@pytest.mark.parametrize("other", VARIANTS, ids=str)
def test_nothing_fails_in_esp_either(other: Variant, good: Story, tmp_path: Path) -> None:
    story = good.copy()
    other.vary(story)
    checks = verify(protected(story).write(tmp_path))
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}
    assert {check.id for check in checks if check.verdict is Verdict.NOT_APPLICABLE} == other.silent


@pytest.mark.parametrize("form", [Story.copy, protected], ids=["plain", "in-esp"])
@pytest.mark.parametrize("seen", [("home",), ("core",), ("visited1",), ("visited2",), ("core", "home")], ids="+".join)
def test_what_was_not_captured_fails_no_rule(
    seen: tuple[str, ...], form: Callable[[Story], Story], good: Story, tmp_path: Path
) -> None:
    captures = [path for path in form(good).write(tmp_path) if path.stem in seen]
    checks = verify(captures)
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}


def _until(story: Story, time: float) -> None:
    story.keep(lambda sent: sent.time < time)


def _count_on(story: Story, sequence: int) -> None:
    # Number the registrations on the second visited link and at home from another start.
    for number, name in enumerate(("bu-3", "bu-4", "bu-5", "bu-6"), start=sequence):
        story.alter(name, inet6.MIP6MH_BU, seq=number)
    story.alter("ba-5", inet6.MIP6MH_BA, seq=sequence + 2)
    story.alter("ba-6", inet6.MIP6MH_BA, seq=sequence + 3)


@variant()
def an_update_that_never_reached_the_home_agent(story: Story) -> None:
    """Nobody can answer it, however long the next one takes."""
    story.drop("bu-4")
    story.move("bu-5", 9.105)


@variant(silent=(*RETURNING, *DELETION))
def the_mobile_node_stays_away(story: Story) -> None:
    _until(story, 10.5)


@variant(silent=(*RETURNING, *LOSSES, *ANSWERED, *DELETION))
def the_capture_ends_before_the_answer(story: Story) -> None:
    _until(story, 6.2)


@variant()
def an_acknowledgement_with_another_sequence_number_is_answered_at_once(story: Story) -> None:
    # Status 135 tells the number to go on from: the next Binding Update is no hasty retransmission.
    story.alter("bu-2", inet6.MIP6MH_BU, seq=0xFFFF)
    story.alter("ba-2", inet6.MIP6MH_BA, seq=5, status=OUT_OF_WINDOW)
    story.add("bu-again", 2.92, handover.binding_update(6, CARE_OF_1), *FROM_VISITED1)
    story.add("ba-again", 2.93, handover.acknowledgement(6, CARE_OF_1), *TO_VISITED1)
    _count_on(story, 7)


@variant(
    silent=(
        *RETURNING,
        *LOSSES,
        *ACCEPTING,
        *CORRESPONDING,
        *DISCOVERY,
        *REGISTERED,
        *MULTICAST,
        *PREFIXES,
        *DHCPV6,
        "bu-sequence",
        "too-big-relayed",
    )
)
def the_home_address_is_taken(story: Story) -> None:
    # The registration is refused; so there is nothing to announce.
    _until(story, 2.2)
    story.drop("proxy-1")
    story.alter("ba-1", inet6.MIP6MH_BA, status=DAD_FAILED)
    story.add("reverse", 1.5, _reverse(CARE_OF_1), *FROM_VISITED1)


@variant()
def a_refused_update_leaves_the_tunnel_where_it_is(story: Story) -> None:
    # Rejected with status 130, the mobile node goes on with the care-of address that it has.
    _refuse(story, after=0.01)
    story.add("reverse-on", 5.0, _reverse(CARE_OF_1), *FROM_VISITED1)
    _count_on(story, 1)


@variant()
def an_old_update_that_somebody_plays_back_is_not_the_mobile_nodes(story: Story) -> None:
    # The router forwards it before the home agent; the answer tells the number that the home agent knows.
    replay = handover.binding_update(0xFFFE, CARE_OF_1)
    story.add("replay", 5.0, replay, FROM_VISITED1[1])
    story.add("refusal", 5.01, handover.acknowledgement(0xFFFF, CARE_OF_1, status=OUT_OF_WINDOW), *TO_VISITED1)
    story.add("reverse-on", 5.2, _reverse(CARE_OF_1), *FROM_VISITED1)


@variant()
def an_old_update_is_played_back_and_its_refusal_takes_a_while(story: Story) -> None:
    # Whatever lies between both, the mobile node's tunnel stays where it is.
    story.add("replay", 9.3, handover.binding_update(0xFFFE, CARE_OF_1), FROM_VISITED1[1])
    story.add("refusal", 9.6, handover.acknowledgement(2, CARE_OF_1, status=OUT_OF_WINDOW), *TO_VISITED1)
    for number in range(12):
        story.add(f"reverse-on-{number}", 9.25 + number * 0.05, _reverse(CARE_OF_2), *FROM_VISITED2)


@variant()
def a_refused_update_moves_the_tunnel_until_its_refusal(story: Story) -> None:
    # The mobile node knows of the refusal at once, and the captures cannot tell which packet was the first after it.
    _refuse(story, after=0.2)
    for number, care_of in enumerate((CARE_OF_1, IN_VAIN, IN_VAIN, IN_VAIN, IN_VAIN, CARE_OF_1, CARE_OF_1, CARE_OF_1)):
        story.add(f"reverse-on-{number}", 4.59 + number * 0.05, _reverse(care_of), *FROM_VISITED1)
    _count_on(story, 1)


def _refuse(story: Story, *, after: float) -> None:
    story.add("bu-in-vain", 4.6, handover.binding_update(0, IN_VAIN), *FROM_VISITED1)
    story.add("ba-in-vain", 4.6 + after, handover.acknowledgement(0, IN_VAIN, status=130), *TO_VISITED1)


def _reverse(care_of: str) -> Scapy:
    return handover.tunnelled(care_of, HOME_AGENT, handover.data(HOME_ADDRESS, handover.CORRESPONDENT, 50))


@variant(silent=("proxy-ends", "home-announced", *DELETION))
def the_home_agent_knows_no_binding_to_end(story: Story) -> None:
    # Status 133 answers a deregistration: the binding is held as gone.
    _until(story, 12.0)
    story.drop("data-home-early", "home-announced-1", "data-home-2")
    story.alter("ba-6", inet6.MIP6MH_BA, status=NOT_HOME_AGENT)


@variant(silent=("home-announced", "home-deregistration", "home-waits", *DELETION))
def the_binding_is_ended_from_abroad(story: Story) -> None:
    # A Binding Update with lifetime 0 through the Home Address option: the mobile node does not go home.
    _until(story, 10.5)
    update, answer = handover.binding_update(3, CARE_OF_2), handover.acknowledgement(3, CARE_OF_2)
    update[inet6.MIP6MH_BU].mhtime = answer[inet6.MIP6MH_BA].mhtime = 0
    story.add("bu-end", 10.5, update, *FROM_VISITED2)
    story.add("ba-end", 10.51, answer, *TO_VISITED2)
    story.add("home-ra-late", 14.0, story.sent["home-ra-1"].packet, Hop("home", HA_HOME, handover.EVERYBODY))


@variant()
def the_link_is_lost_and_back_while_no_answer_came(story: Story) -> None:
    # A new arrival asks for routers and registers anew: that is no retransmission.
    story.add("rs-again", 6.5, handover.router_solicitation(), Hop("visited2", MN, handover.EVERYBODY))
    story.move("bu-4", 6.6)
    story.move("bu-5", 7.7)
    story.move("ba-5", 7.71)


@variant()
def an_acknowledgement_is_lost_behind_the_capture(story: Story) -> None:
    # The Binding Update is repeated after its time-out although it was answered, and answered again.
    story.add("bu-2-again", 3.95, handover.binding_update(0, CARE_OF_1), *FROM_VISITED1)
    story.add("ba-2-again", 3.96, handover.acknowledgement(0, CARE_OF_1), *TO_VISITED1)
    _count_on(story, 1)


@variant()
def the_alternate_care_of_address_is_not_the_source(story: Story) -> None:
    # RFC 6275 §6.2.5 lets a mobile node send from one address and register another.
    update = handover.binding_update(0xFFFF, CARE_OF_1)
    update[inet6.IPv6].src = "2001:db8:a1::7"
    story.replace("bu-2", update)
    story.replace("ba-2", handover.acknowledgement(0xFFFF, "2001:db8:a1::7"))


@variant()
def the_home_agent_advertises_other_prefixes_first(story: Story) -> None:
    for name in ("home-ra-1", "home-ra-2", "home-ra-3"):
        packet = story.sent[name].packet.copy()
        packet[inet6.ICMPv6ND_RA].payload = (
            inet6.ICMPv6NDOptPrefixInfo(prefix="2001:db8:99::") / packet[inet6.ICMPv6NDOptSrcLLAddr]
        )
        story.replace(name, packet)
    for name in ("visited1-ra-1", "visited1-ra-2"):
        packet = story.sent[name].packet.copy()
        packet[inet6.ICMPv6ND_RA].payload = (
            inet6.ICMPv6NDOptPrefixInfo(prefix="2001:db8:98::") / packet[inet6.ICMPv6NDOptSrcLLAddr]
        )
        story.replace(name, packet)


@variant()
def a_visited_link_is_the_home_link_of_others(story: Story) -> None:
    # Its router is a home agent, but not the one of this mobile node.
    for name in ("visited1-ra-1", "visited1-ra-2"):
        story.alter(name, inet6.ICMPv6ND_RA, H=1)
        story.alter(name, inet6.ICMPv6NDOptPrefixInfo, R=1, prefix=f"{handover.VISITED1_PREFIX}1")


@variant()
def a_second_mobile_node_speaks_in_between(story: Story) -> None:
    # Its sequence numbers, rates and time-outs are its own.
    mac, home, care_of = "02:00:00:00:09:00", "2001:db8:1::200", "2001:db8:a1::8"
    there = (Hop("visited1", mac, handover.AR1_VISITED), FROM_VISITED1[1])
    back = (TO_VISITED1[0], Hop("visited1", handover.AR1_VISITED, mac))
    story.add("agent-dad-b", 5.01, handover.neighbor_solicitation("::", home), Hop("home", HA_HOME, handover.EVERYBODY))
    for number, time in enumerate((6.4, 7.4), start=1):
        announcement = handover.neighbor_advertisement(HOME_AGENT, home, HA_HOME)
        story.add(f"proxy-b-{number}", time, announcement, Hop("home", HA_HOME, handover.EVERYBODY))
    for sequence, time in ((500, 5.0), (501, 6.4), (502, 8.0)):
        update = handover.binding_update(sequence, care_of)
        update[inet6.HAO].hoa = home
        story.add(f"bu-b-{sequence}", time, update, *there)
    for sequence, time in ((501, 6.41), (502, 8.01)):
        answer = handover.acknowledgement(sequence, care_of)
        answer[inet6.IPv6ExtHdrRouting].addresses = [home]
        story.add(f"ba-b-{sequence}", time, answer, *back)


@variant(silent=(*RETURNING, *LOSSES, *ANSWERED, *DELETION))
def a_binding_expires_and_another_begins(story: Story) -> None:
    # What runs out is as if it had never been: Duplicate Address Detection and announcements begin anew.
    _until(story, 6.2)
    story.alter("ba-2", inet6.MIP6MH_BA, mhtime=1)  # until 6.91
    story.add("bu-late", 8.0, handover.binding_update(0, CARE_OF_2), *FROM_VISITED2)
    story.drop("bu-3")
    story.add(
        "onto-the-home-link", 7.5, handover.data(handover.CORRESPONDENT, HOME_ADDRESS, 50), *handover.TO_HOME_LINK
    )
    story.add("nobody-answers", 7.6, story.sent["neighbour-asks"].packet, *story.sent["neighbour-asks"].hops)
    story.add(
        "dad-anew", 8.01, handover.neighbor_solicitation("::", HOME_ADDRESS), Hop("home", HA_HOME, handover.EVERYBODY)
    )
    for number, time in enumerate((9.04, 10.04, 11.04), start=1):
        story.add(f"anew-{number}", time, story.sent["proxy-1"].packet, Hop("home", HA_HOME, handover.EVERYBODY))
    story.add("ba-late", 9.05, handover.acknowledgement(0, CARE_OF_2), *TO_VISITED2)
    story.add("home-ra-late", 14.0, story.sent["home-ra-1"].packet, Hop("home", HA_HOME, handover.EVERYBODY))


def _by_tunnel(story: Story, time: float) -> None:
    packet = handover.data(HOME_ADDRESS, correspondence.PEER, 90)
    story.add("tunnelled", time, handover.tunnelled(CARE_OF_1, HOME_AGENT, packet), *FROM_VISITED1)
    story.add("tunnelled-out", time + 0.002, packet, *correspondence.TO_PEER_FROM_AGENT)


@variant()
def the_correspondent_forgets_its_binding(story: Story) -> None:
    # It starts anew, sends to the home address, and says so to a Home Address option; the tunnel is taken again.
    plain = handover.data(correspondence.PEER, HOME_ADDRESS, 91)
    story.add("forgotten", 5.2, plain, *correspondence.TO_AGENT_FROM_PEER)
    story.add("forgotten-tunnel", 5.201, handover.tunnelled(HOME_AGENT, CARE_OF_1, plain), *TO_VISITED1)
    story.add("unbound", 5.3, correspondence.from_mobile(CARE_OF_1, 92), *correspondence.TO_PEER_FROM_1)
    error = inet6.IPv6(src=correspondence.PEER, dst=CARE_OF_1) / inet6.MIP6MH_BE(status=1, ha=HOME_ADDRESS)
    story.add("error", 5.31, error, *correspondence.TO_1_FROM_PEER)
    _by_tunnel(story, 5.5)


@variant()
def a_router_cannot_reach_the_care_of_address(story: Story) -> None:
    quoted = story.sent["ro-to-2"].packet
    error = inet6.IPv6(src="2001:db8:a1::1", dst=correspondence.PEER) / inet6.ICMPv6DestUnreach(code=3) / quoted
    story.add("unreachable", 5.2, error, Hop("core", handover.AR1_CORE, correspondence.PEER_MAC))
    plain = handover.data(correspondence.PEER, HOME_ADDRESS, 91)
    story.add("indirect", 5.3, plain, *correspondence.TO_AGENT_FROM_PEER)


@variant()
def a_correspondents_acknowledgement_is_lost_behind_the_capture(story: Story) -> None:
    # The mobile node does not know yet that it may leave the tunnel, and asks again.
    story.drop("ro-from-1")
    _by_tunnel(story, 3.9)
    tokens = (correspondence.HOME_TOKEN, correspondence.TOKEN_1)
    for name, sequence, time in (("cbu-again", 101, 4.52), ("cbu-2", 102, 4.66)):
        story.sent.pop(name, None)
        told = correspondence.registration(sequence, CARE_OF_1, *tokens)
        story.add(name, time, told, *correspondence.TO_PEER_FROM_1)
    for name, sequence, time in (("cba-again", 101, 4.53), ("cba-2", 102, 4.67)):
        story.sent.pop(name, None)
        answered = correspondence.acknowledgement(sequence, CARE_OF_1, *tokens)
        story.add(name, time, answered, *correspondence.TO_1_FROM_PEER)
    tokens = (correspondence.HOME_TOKEN, correspondence.TOKEN_2)
    story.replace("cbu-3", correspondence.registration(103, CARE_OF_2, *tokens))
    story.replace("cba-3", correspondence.acknowledgement(103, CARE_OF_2, *tokens))
    story.replace("cbu-4", correspondence.deletion(104, correspondence.HOME_TOKEN))
    story.replace("cba-4", correspondence.deletion_answer(104, correspondence.HOME_TOKEN))


@variant()
def nonces_have_expired(story: Story) -> None:
    # The correspondent says so without an authenticator, and keeps the binding that it has.
    refusal = correspondence.to_care_of(CARE_OF_1) / inet6.MIP6MH_BA(seq=101, status=NONCES_EXPIRED)
    story.replace("cba-2", refusal)


@variant()
def a_correspondent_is_not_asked_to_answer(story: Story) -> None:
    tokens = (correspondence.HOME_TOKEN, correspondence.TOKEN_1)
    draft = correspondence.from_care_of(CARE_OF_1) / correspondence.update(101)
    draft[inet6.MIP6MH_BU].flags = 0
    story.replace("cbu-2", correspondence.signed(draft, CARE_OF_1, *tokens))
    story.drop("cba-2")


@variant(silent=(*RETURNING, *LOSSES, *ANSWERED, *DELETION))
def the_home_agent_dies(story: Story) -> None:
    # Nothing is heard of it any more while the captures go on: nobody can ask more of it.
    _until(story, 6.2)
    advertisement = handover.router_advertisement(handover.AR2_VISITED, handover.VISITED2_PREFIX)
    story.add("still-there", 12.0, advertisement, Hop("visited2", handover.AR2_VISITED, handover.EVERYBODY))


@variant()
def a_packet_leaves_before_the_movement_is_known(story: Story) -> None:
    # The link is there, its router is not heard yet: an upper layer looks for the router of the home link.
    question = handover.neighbor_solicitation(HOME_ADDRESS, handover.link_local(HA_HOME))
    story.add("unaware", 1.005, question, Hop("visited1", MN, handover.EVERYBODY))


def _amid(story: Story, time: float) -> None:
    # The captures begin amid a binding: the first registration that they hold is a refresh.
    story.keep(lambda sent: sent.time >= time)
    advertisement = handover.router_advertisement(HA_HOME, handover.HOME_PREFIX, home_agent=True)
    story.add("home-ra", time, advertisement, Hop("home", HA_HOME, handover.EVERYBODY))


@variant(silent=(*UNHEARD, "dad-before-ba"))
def the_captures_begin_amid_a_binding(story: Story) -> None:
    _amid(story, 2.6)


@variant(
    silent=(
        *UNHEARD,
        *DISCOVERY,
        "dad-before-ba",
        "esp-home-test",
        "prefix-advertisement-repeated",
        "prefix-solicitation-repeated",
        "proxy-announced",
        "proxy-answers",
        "proxy-repeated",
        "refresh-requests",
        "token-repeats",
        "too-big-relayed",
        "tunnel-checked",
    )
)
def the_captures_begin_just_before_a_move(story: Story) -> None:
    _amid(story, 5.6)


@variant()
def the_mobile_node_leaves_again(story: Story) -> None:
    handover.leave_again(story)


@variant(silent=("group-scope", "group-reported"))
def the_mobile_node_listens_to_no_group(story: Story) -> None:
    story.drop("mld-query", "mld-report", "group-1-tunnel", "group-2-tunnel")


@variant()
def the_mobile_node_reports_by_the_first_version(story: Story) -> None:
    packet = story.sent["mld-report"].packet.copy()
    inner = packet[inet6.IPv6].payload
    inner[inet6.ICMPv6MLReport2].underlayer.remove_payload()
    story.replace("mld-report", packet / inet6.ICMPv6MLReport(mladdr=multicast.GROUP))


@variant(silent=ANSWERED)
def prefixes_are_told_although_nobody_asks(story: Story) -> None:
    story.drop("mps-1", "mps-2", "mpa-2")
    story.add("mps-lone", 5.4, prefixes.solicitation(7, CARE_OF_1), FROM_VISITED1[0])


@variant()
def the_home_prefix_ends_and_all_keep_to_it(story: Story) -> None:
    # Deprecated for the second care-of address: status 1, and no lifetime beyond the end.
    deprecated = story.sent["home-ra-1"].packet.copy()
    option = deprecated[inet6.ICMPv6NDOptPrefixInfo]
    option.validlifetime, option.preferredlifetime = 30, 0
    story.add("home-ra-deprecated", 5.0, deprecated, Hop("home", HA_HOME, handover.EVERYBODY))
    story.alter("ba-5", inet6.MIP6MH_BA, status=1, mhtime=6)
    story.alter("mpa-2", inet6.ICMPv6NDOptPrefixInfo, validlifetime=25, preferredlifetime=0)
    update, answer = handover.binding_update(3, CARE_OF_2), handover.acknowledgement(3, CARE_OF_2, status=1)
    update[inet6.MIP6MH_BU].mhtime = answer[inet6.MIP6MH_BA].mhtime = 6
    story.add("bu-short", 9.6, update, *FROM_VISITED2)
    story.add("ba-short", 9.61, answer, *TO_VISITED2)
    story.alter("bu-6", inet6.MIP6MH_BU, seq=4)
    story.alter("ba-6", inet6.MIP6MH_BA, seq=4)
