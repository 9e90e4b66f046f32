"""Home agent address discovery in the good story: a request is lost, its repetition answered."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.story import Scapy, Story

ANYCAST = "2001:db8:1:0:fdff:ffff:ffff:fffe"
OTHER_AGENT = "2001:db8:1::9"
IDENTIFIER = 0x1234
ASKED, ASKED_AGAIN = 2.4, 5.4


def request(identifier: int = IDENTIFIER, to: str = ANYCAST) -> Scapy:
    """Say a Home Agent Address Discovery Request."""
    return inet6.IPv6(src=handover.CARE_OF_1, dst=to) / inet6.ICMPv6HAADRequest(id=identifier)


def reply(identifier: int = IDENTIFIER, source: str = handover.HOME_AGENT) -> Scapy:
    """Say a Home Agent Address Discovery Reply."""
    message = inet6.ICMPv6HAADReply(id=identifier, addresses=[OTHER_AGENT, handover.HOME_AGENT])
    return inet6.IPv6(src=source, dst=handover.CARE_OF_1) / message


def tell(story: Story) -> None:
    """Add it to a story in which the mobile node is on the first visited link."""
    story.add("haad-request-1", ASKED, request(), handover.FROM_VISITED1[0])
    story.add("haad-request-2", ASKED_AGAIN, request(), *handover.FROM_VISITED1)
    story.add("haad-reply", ASKED_AGAIN + 0.002, reply(), *handover.TO_VISITED1)
