"""Mobile prefix discovery in the good story: what is told unasked is asked for, and what is lost is repeated."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.handover import CARE_OF_1, CARE_OF_2, FROM_VISITED1, FROM_VISITED2, TO_VISITED1, TO_VISITED2
from tests.verify.story import Scapy, Story

FIRST, SECOND = 0x4321, 0x1234
"""Identifiers of solicitations."""
VALID = 1000
TOLD, TOLD_AGAIN = 2.2, 5.21
ASKED, ASKED_AGAIN = 5.22, 9.12


def solicitation(identifier: int, care_of: str) -> Scapy:
    """Say a Mobile Prefix Solicitation."""
    source = inet6.IPv6(src=care_of, dst=handover.HOME_AGENT)
    return source / handover.home_address_option() / inet6.ICMPv6MPSol(id=identifier)


def advertisement(identifier: int, care_of: str, valid: int = VALID) -> Scapy:
    """Say a Mobile Prefix Advertisement; without identifier nobody asked for it."""
    option = inet6.ICMPv6NDOptPrefixInfo(
        prefix=handover.HOME_AGENT, R=1, validlifetime=valid, preferredlifetime=min(valid, VALID // 2)
    )
    ends = inet6.IPv6(src=handover.HOME_AGENT, dst=care_of) / handover.type_2_routing_header()
    return ends / inet6.ICMPv6MPAdv(id=identifier) / option


def tell(story: Story) -> None:
    """Add it to a story that goes from the first to the second visited link."""
    story.add("mpa-unasked-1", TOLD, advertisement(0, CARE_OF_1), TO_VISITED1[0])
    story.add("mpa-unasked-2", TOLD_AGAIN, advertisement(0, CARE_OF_1), *TO_VISITED1)
    story.add("mps-1", ASKED, solicitation(FIRST, CARE_OF_1), FROM_VISITED1[0])
    story.add("mps-2", ASKED_AGAIN, solicitation(SECOND, CARE_OF_2), *FROM_VISITED2)
    story.add("mpa-2", ASKED_AGAIN + 0.005, advertisement(SECOND, CARE_OF_2), *TO_VISITED2)
