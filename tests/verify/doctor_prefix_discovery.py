"""Doctorings of mobile prefix discovery."""

from scapy.layers import inet6

from tests.verify import handover, prefixes
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, CARE_OF_2, FROM_VISITED1, FROM_VISITED2, TO_VISITED1, TO_VISITED2
from tests.verify.prefixes import ASKED_AGAIN, SECOND, TOLD
from tests.verify.story import Scapy, Story


def without_headers(packet: Scapy) -> Scapy:
    """Leave the extension header out."""
    return packet[inet6.IPv6].__class__(src=packet.src, dst=packet.dst) / packet.payload.payload


@doctoring("prefix-solicitation")
def asked_without_home_address(story: Story) -> str:
    nameless = without_headers(prefixes.solicitation(7, CARE_OF_1))
    return story.add("mps-nameless", 4.0, nameless, *FROM_VISITED1)


@doctoring("prefix-solicitation")
def somebody_else_asked(story: Story) -> str:
    return story.alter("mps-1", inet6.IPv6, dst=handover.CORRESPONDENT)


@doctoring("prefix-solicitation")
def with_something_reserved(story: Story) -> str:
    return story.alter("mps-2", inet6.ICMPv6MPSol, res=1)


@doctoring("prefix-advertisement")
def without_routing_header(story: Story) -> str:
    return story.replace("mpa-unasked-2", without_headers(story.sent["mpa-unasked-2"].packet))


@doctoring("prefix-advertisement")
def to_where_the_mobile_node_was(story: Story) -> str:
    story.drop("mpa-2")
    late = prefixes.advertisement(SECOND, CARE_OF_1)
    return story.add("mpa-late", ASKED_AGAIN + 0.005, late, *TO_VISITED1)


@doctoring("prefix-advertisement")
def told_with_something_reserved(story: Story) -> str:
    return story.alter("mpa-unasked-2", inet6.ICMPv6MPAdv, res=1)


@doctoring("prefix-identifier")
def another_identifier(story: Story) -> str:
    return story.alter("mpa-2", inet6.ICMPv6MPAdv, id=SECOND + 1)


@doctoring("prefix-identifier")
def answered_without_one(story: Story) -> str:
    return story.alter("mpa-2", inet6.ICMPv6MPAdv, id=0)


@doctoring("prefix-solicitation-repeated")
def asked_again_too_soon(story: Story) -> str:
    story.move("mps-1", 6.9)
    return "mps-2"


@doctoring("prefix-solicitation-repeated")
def not_twice_the_time_out(story: Story) -> str:
    story.add("mps-0", TOLD + 0.01, prefixes.solicitation(7, CARE_OF_1), FROM_VISITED1[0])
    return "mps-2"


@doctoring("prefix-advertisement-repeated")
def told_again_too_soon(story: Story) -> str:
    story.move("mpa-unasked-1", 3.0)
    return "mpa-unasked-2"


@doctoring("prefix-advertisement-repeated")
def told_twice_in_a_second(story: Story) -> str:
    story.add("mps-3", ASKED_AGAIN + 0.3, prefixes.solicitation(7, CARE_OF_2), *FROM_VISITED2)
    return story.add("mpa-3", ASKED_AGAIN + 0.31, prefixes.advertisement(7, CARE_OF_2), *TO_VISITED2)


@doctoring("binding-within-prefix", also=("ba-prefix-status",))
def granted_beyond_the_end(story: Story) -> str:
    story.alter("home-ra-1", inet6.ICMPv6NDOptPrefixInfo, validlifetime=30, preferredlifetime=30)
    return "ba-2"


@doctoring("binding-within-prefix")
def asked_beyond_the_end(story: Story) -> str:
    story.alter("mpa-2", inet6.ICMPv6NDOptPrefixInfo, validlifetime=30, preferredlifetime=30)
    story.add("bu-late", 9.6, handover.binding_update(3, CARE_OF_2), *FROM_VISITED2)
    answer = handover.acknowledgement(3, CARE_OF_2)
    answer[inet6.MIP6MH_BA].mhtime = 5
    story.add("ba-late", 9.61, answer, *TO_VISITED2)
    story.alter("bu-6", inet6.MIP6MH_BU, seq=4)
    story.alter("ba-6", inet6.MIP6MH_BA, seq=4)
    return "bu-late"


@doctoring("ba-prefix-status")
def deprecated_without_a_word(story: Story) -> str:
    story.alter("home-ra-1", inet6.ICMPv6NDOptPrefixInfo, preferredlifetime=30)
    return "ba-2"


@doctoring("ba-prefix-status")
def a_warning_without_need(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, status=1)
