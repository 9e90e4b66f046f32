"""Doctorings of home registrations and their acknowledgements."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, CARE_OF_2, FROM_VISITED1, FROM_VISITED2, HOME_ADDRESS, HOME_AGENT
from tests.verify.story import Hop, Scapy, Story

NOT_HOME_SUBNET, INVALID_CARE_OF_ADDRESS = 132, 174


@doctoring("bu-flags")
def acknowledgement_not_asked(story: Story) -> str:
    return story.alter("bu-2", inet6.MIP6MH_BU, flags="H")


@doctoring("bu-home-address")
def home_address_option_at_8n_plus_2(story: Story) -> str:
    # Scapy sums over the home address only if its option is the only one: the checksum has to be said.
    checksum = inet6.IPv6(bytes(story.sent["bu-2"].packet))[inet6.MIP6MH_BU].cksum
    story.alter("bu-2", inet6.MIP6MH_BU, cksum=checksum)
    options = [inet6.HAO(hoa=HOME_ADDRESS), inet6.PadN(optdata=bytes(2))]
    return story.alter("bu-2", inet6.IPv6ExtHdrDestOpt, autopad=0, options=options)


@doctoring("bu-home-address")
def home_address_option_missing(story: Story) -> str:
    update = story.sent["bu-2"].packet
    # A home agent would take this for a node at home, and refuse it.
    refusal = inet6.MIP6MH_BA(seq=0xFFFF, status=NOT_HOME_SUBNET)
    story.replace("ba-2", inet6.IPv6(src=HOME_AGENT, dst=CARE_OF_1) / refusal)
    return story.replace("bu-2", inet6.IPv6(src=CARE_OF_1, dst=HOME_AGENT) / update[inet6.MIP6MH_BU].copy())


@doctoring("bu-alternate")
def alternate_care_of_address_missing(story: Story) -> str:
    return story.alter("bu-2", inet6.MIP6MH_BU, options=[])


def _alternate(story: Story, address: str) -> str:
    story.alter("ba-2", inet6.MIP6MH_BA, status=INVALID_CARE_OF_ADDRESS)
    return story.alter("bu-2", inet6.MIP6MH_BU, options=[inet6.MIP6OptAltCoA(acoa=address)])


@doctoring("bu-alternate", also=("movement-first",))
def alternate_care_of_address_multicast(story: Story) -> str:
    return _alternate(story, "ff0e::1")


@doctoring("bu-alternate", also=("movement-first",))
def alternate_care_of_address_link_local(story: Story) -> str:
    return _alternate(story, "fe80::600")


@doctoring("bu-sequence")
def sequence_number_again(story: Story) -> str:
    story.alter("ba-2", inet6.MIP6MH_BA, seq=0xFFFE)
    return story.alter("bu-2", inet6.MIP6MH_BU, seq=0xFFFE)


@doctoring("bu-sequence")
def sequence_number_half_the_space_ahead(story: Story) -> str:
    story.alter("ba-6", inet6.MIP6MH_BA, seq=2 + 0x8000)
    return story.alter("bu-6", inet6.MIP6MH_BU, seq=2 + 0x8000)


@doctoring("bu-sequence")
def retransmission_unchanged(story: Story) -> str:
    return story.alter("bu-4", inet6.MIP6MH_BU, seq=0)


def _refresh(story: Story, sequence: int, time: float) -> str:
    story.add(
        f"refreshed-{sequence}", time + 0.01, handover.acknowledgement(sequence, CARE_OF_2), *handover.TO_VISITED2
    )
    return story.add(f"refresh-{sequence}", time, handover.binding_update(sequence, CARE_OF_2), *FROM_VISITED2)


@doctoring("bu-rate")
def four_in_a_second(story: Story) -> str:
    story.alter("ba-6", inet6.MIP6MH_BA, seq=7)
    story.alter("bu-6", inet6.MIP6MH_BU, seq=7)
    return [_refresh(story, sequence, 9.7 + sequence * 0.1) for sequence in (3, 4, 5, 6)][-1]


@doctoring("bu-retransmission")
def retransmitted_too_early(story: Story) -> str:
    return story.move("bu-4", 6.5)


@doctoring("bu-retransmission")
def time_out_not_doubled(story: Story) -> str:
    return story.move("bu-5", 8.1)


@doctoring("bu-retransmission")
def deregistration_retransmitted_too_early(story: Story) -> str:
    story.drop("data-home-early")
    story.alter("ba-6", inet6.MIP6MH_BA, seq=4)
    story.move("ba-6", 11.35)
    story.move("home-announced-1", 11.36)
    return story.add("bu-7", 11.3, handover.deregistration(4), handover.ON_HOME)


@doctoring("ba-answers")
def registration_not_acknowledged(story: Story) -> str:
    story.drop("ba-2")
    return "bu-2"


@doctoring("ba-answers", also=("bu-flags",))
def registration_not_acknowledged_as_not_asked(story: Story) -> str:
    # §10.3.1: a home agent answers whether or not the A bit is set.
    story.drop("ba-2")
    return story.alter("bu-2", inet6.MIP6MH_BU, flags="H")


@doctoring("ba-sequence")
def acknowledgement_of_nothing(story: Story) -> str:
    return story.add("stray", 5.0, handover.acknowledgement(777, CARE_OF_1), *handover.TO_VISITED1)


@doctoring("ba-sequence", also=("ba-answers",))
def acknowledgement_of_another_number(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, seq=777)


@doctoring("ba-lifetime")
def more_granted_than_asked(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, mhtime=handover.LIFETIME + 1)


@doctoring("ba-lifetime")
def lifetime_granted_to_a_deregistration(story: Story) -> str:
    return story.alter("ba-6", inet6.MIP6MH_BA, mhtime=1)


@doctoring("ba-status")
def accepted_with_an_unknown_status(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, status=2)


@doctoring("ba-status")
def refused_with_an_unknown_status(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, status=200)


def _answer(story: Story, name: str, packet: Scapy) -> str:
    answer = story.sent[name].packet[inet6.MIP6MH_BA].copy()
    return story.replace(name, packet / answer)


@doctoring("ba-routing")
def routing_header_missing(story: Story) -> str:
    return _answer(story, "ba-2", inet6.IPv6(src=HOME_AGENT, dst=CARE_OF_1))


@doctoring("ba-routing")
def acknowledgement_to_another_care_of_address(story: Story) -> str:
    return _answer(story, "ba-2", inet6.IPv6(src=HOME_AGENT, dst=CARE_OF_2) / handover.type_2_routing_header())


@doctoring("ba-routing")
def acknowledgement_plainly_to_the_home_address(story: Story) -> str:
    return _answer(story, "ba-2", inet6.IPv6(src=HOME_AGENT, dst=HOME_ADDRESS))


@doctoring("ba-routing")
def routing_header_at_home(story: Story) -> str:
    return _answer(story, "ba-6", inet6.IPv6(src=HOME_AGENT, dst=HOME_ADDRESS) / handover.type_2_routing_header())


@doctoring("ba-routing")
def routing_header_with_two_segments_left(story: Story) -> str:
    return story.alter("ba-2", inet6.IPv6ExtHdrRouting, segleft=2)


@doctoring("dad-before-ba")
def home_address_not_tested(story: Story) -> str:
    story.drop("agent-dad")
    return "ba-1"


@doctoring("dad-before-ba")
def home_address_not_tested_when_the_mobile_node_left_again(story: Story) -> str:
    handover.leave_again(story)
    story.drop("agent-dad-7")
    return "ba-7"


@doctoring("dad-before-ba")
def home_address_not_tested_although_the_mobile_node_had_just_begun_with_it(story: Story) -> str:
    # What proves that nothing was bound is its own test of the address on the home link.
    story.drop("agent-dad", "reply-home-1")
    test = handover.neighbor_solicitation("::", HOME_ADDRESS)
    story.add("mobile-dad", 0.3, test, Hop("home", handover.MN, handover.EVERYBODY))
    return "ba-1"


@doctoring("dad-before-ba")
def home_address_tested_for_half_a_second(story: Story) -> str:
    story.move("agent-dad", 1.65)
    return "ba-1"


@doctoring("dad-before-ba")
def another_address_tested(story: Story) -> str:
    story.alter("agent-dad", inet6.ICMPv6ND_NS, tgt=handover.NEIGHBOUR)
    return "ba-1"


@doctoring("dad-before-ba")
def home_address_tested_on_another_link(story: Story) -> str:
    sent = story.sent["agent-dad"]
    story.drop("agent-dad")
    story.add("agent-dad", sent.time, sent.packet, *FROM_VISITED1[1:])
    return "ba-1"
