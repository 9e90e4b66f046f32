"""Mobile prefix discovery in the good story: the mobile node asks, its home agent answers."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.story import Scapy, Story

IDENTIFIER = 0x6275


def solicitation() -> Scapy:
    """Say a Mobile Prefix Solicitation."""
    header = inet6.IPv6(src=handover.CARE_OF_1, dst=handover.HOME_AGENT)
    return header / handover.home_address_option() / inet6.ICMPv6MPSol(id=IDENTIFIER)


def advertisement() -> Scapy:
    """Say a Mobile Prefix Advertisement."""
    header = inet6.IPv6(src=handover.HOME_AGENT, dst=handover.CARE_OF_1) / handover.type_2_routing_header()
    option = inet6.ICMPv6NDOptPrefixInfo(prefix=handover.HOME_AGENT, R=1)
    return header / inet6.ICMPv6MPAdv(id=IDENTIFIER, flags=0) / option


def tell(story: Story) -> None:
    """Add it to a story in which the mobile node is on the first visited link."""
    story.add("prefix-solicitation", 2.7, solicitation(), *handover.FROM_VISITED1)
    story.add("prefix-advertisement", 2.71, advertisement(), *handover.TO_VISITED1)
