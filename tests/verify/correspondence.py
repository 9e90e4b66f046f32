"""The part of the good story about a correspondent that is told where the mobile node is.

    cn2 ─── core

From triangle to direct path on the first visited link, a lost Care-of Test Init, a refresh that was asked for; by the
tunnel again and then directly on the second one; the binding deleted at home.
"""

import hashlib
import hmac
from ipaddress import IPv6Address

from scapy.layers import inet6
from scapy.layers.inet import UDP

from tests.verify import handover
from tests.verify.handover import (
    CARE_OF_1,
    CARE_OF_2,
    HOME_ADDRESS,
    HOME_AGENT,
    TO_VISITED1,
    TO_VISITED2,
)
from tests.verify.story import Hop, Scapy, Story

PEER, PEER_MAC = "2001:db8:c::3", "02:00:00:00:0a:00"
INDEX = 0x5813
HOME_TOKEN, TOKEN_1, TOKEN_2 = b"hometokn", b"careof-1", b"careof-2"
"""The tokens of the home address and of the care-of addresses."""
LIFETIME = 105
"""420 s."""

TO_PEER_FROM_AGENT = (Hop("core", handover.HA_CORE, PEER_MAC),)
TO_AGENT_FROM_PEER = (Hop("core", PEER_MAC, handover.HA_CORE),)
TO_PEER_FROM_1 = (handover.FROM_VISITED1[0], Hop("core", handover.AR1_CORE, PEER_MAC))
TO_PEER_FROM_2 = (handover.FROM_VISITED2[0], Hop("core", handover.AR2_CORE, PEER_MAC))
TO_1_FROM_PEER = (Hop("core", PEER_MAC, handover.AR1_CORE), TO_VISITED1[1])
TO_2_FROM_PEER = (Hop("core", PEER_MAC, handover.AR2_CORE), TO_VISITED2[1])
TO_PEER_FROM_HOME = (handover.ON_HOME, *TO_PEER_FROM_AGENT)
TO_HOME_FROM_PEER = (*TO_AGENT_FROM_PEER, handover.TO_HOME_LINK[1])


def home_test_init(cookie: bytes, *, home: str = HOME_ADDRESS, peer: str = PEER) -> Scapy:
    """Say a Home Test Init."""
    return inet6.IPv6(src=home, dst=peer) / inet6.MIP6MH_HoTI(cookie=cookie)


def home_test(cookie: bytes, *, home: str = HOME_ADDRESS, peer: str = PEER, token: bytes = HOME_TOKEN) -> Scapy:
    """Say a Home Test."""
    return inet6.IPv6(src=peer, dst=home) / inet6.MIP6MH_HoT(index=INDEX, cookie=cookie, token=token)


def care_of_test_init(cookie: bytes, care_of: str, *, peer: str = PEER) -> Scapy:
    """Say a Care-of Test Init."""
    return inet6.IPv6(src=care_of, dst=peer) / inet6.MIP6MH_CoTI(cookie=cookie)


def care_of_test(cookie: bytes, care_of: str, token: bytes, *, peer: str = PEER) -> Scapy:
    """Say a Care-of Test."""
    return inet6.IPv6(src=peer, dst=care_of) / inet6.MIP6MH_CoT(index=INDEX, cookie=cookie, token=token)


def from_care_of(care_of: str, *, peer: str = PEER) -> Scapy:
    """Say the headers of a packet from the mobile node on the direct path."""
    return inet6.IPv6(src=care_of, dst=peer) / handover.home_address_option()


def to_care_of(care_of: str, *, peer: str = PEER) -> Scapy:
    """Say the headers of a packet to the mobile node on the direct path."""
    return inet6.IPv6(src=peer, dst=care_of) / handover.type_2_routing_header()


def update(sequence: int, *, lifetime: int = LIFETIME, home_index: int = INDEX, care_of_index: int = INDEX) -> Scapy:
    """Say a correspondent registration that is yet to be signed; Scapy tells wrong lengths of these options."""
    indices = inet6.MIP6OptNonceIndices(olen=4, hni=home_index, coni=care_of_index)
    options = [indices, inet6.MIP6OptBindingAuthData(olen=12)]
    return inet6.MIP6MH_BU(seq=sequence, flags="A", mhtime=lifetime, options=options)


def answer(sequence: int, *, lifetime: int = LIFETIME, status: int = 0) -> Scapy:
    """Say a correspondent's acknowledgement that is yet to be signed."""
    options = [inet6.MIP6OptBindingAuthData(olen=12)]
    return inet6.MIP6MH_BA(seq=sequence, status=status, mhtime=lifetime, options=options)


def signed(packet: Scapy, address: str, *tokens: bytes, peer: str = PEER) -> Scapy:
    """Sign an update, or its answer, about an address with Kbm from tokens (RFC 6275 §5.2.6, §6.2.7)."""
    packet = packet.copy()
    message = packet.getlayer(inet6.MIP6MH_BU) or packet.getlayer(inet6.MIP6MH_BA)
    draft = message.copy()
    draft.cksum = 0
    (data,) = [option for option in message.options if isinstance(option, inet6.MIP6OptBindingAuthData)]
    octets, begin = bytes(draft), bytes(draft).index(b"\x05\x0c") + 2
    mobility_data = IPv6Address(address).packed + IPv6Address(peer).packed + octets[:begin] + octets[begin + 12 :]
    key = hashlib.sha1(b"".join(tokens), usedforsecurity=False).digest()
    data.authenticator = int.from_bytes(hmac.digest(key, mobility_data, "sha1")[:12], "big")
    return packet


def registration(sequence: int, care_of: str, *tokens: bytes, lifetime: int = LIFETIME) -> Scapy:
    """Say a correspondent registration."""
    return signed(from_care_of(care_of) / update(sequence, lifetime=lifetime), care_of, *tokens)


def acknowledgement(sequence: int, care_of: str, *tokens: bytes, lifetime: int = LIFETIME, status: int = 0) -> Scapy:
    """Say the correspondent's answer to a registration."""
    return signed(to_care_of(care_of) / answer(sequence, lifetime=lifetime, status=status), care_of, *tokens)


def deletion(sequence: int, *tokens: bytes) -> Scapy:
    """Say what deletes the binding, from home."""
    return signed(inet6.IPv6(src=HOME_ADDRESS, dst=PEER) / update(sequence, lifetime=0), HOME_ADDRESS, *tokens)


def deletion_answer(sequence: int, *tokens: bytes) -> Scapy:
    """Say the correspondent's answer to it."""
    return signed(inet6.IPv6(src=PEER, dst=HOME_ADDRESS) / answer(sequence, lifetime=0), HOME_ADDRESS, *tokens)


def to_mobile(care_of: str, number: int) -> Scapy:
    """Say a datagram on the direct path to the mobile node."""
    return to_care_of(care_of) / handover.data(PEER, care_of, number)[UDP].copy()


def from_mobile(care_of: str, number: int) -> Scapy:
    """Say a datagram on the direct path from the mobile node."""
    return from_care_of(care_of) / handover.data(care_of, PEER, number)[UDP].copy()


def add_correspondence(story: Story) -> None:
    """Tell it."""
    _become_known(story)
    _be_refreshed(story)
    _move(story)
    _return(story)


def _by_triangle(story: Story, name: str, time: float, care_of: str, *, instead: Scapy | None = None) -> None:
    """Have a packet from the peer to the home address go through the home agent."""
    packet = instead or handover.data(PEER, HOME_ADDRESS, int(time * 10))
    way = TO_VISITED1 if care_of == CARE_OF_1 else TO_VISITED2
    story.add(name, time, packet, *TO_AGENT_FROM_PEER)
    story.add(f"{name}-tunnel", time + 0.001, handover.tunnelled(HOME_AGENT, care_of, packet), *way)


def _become_known(story: Story) -> None:
    story.add("chatter", 0.12, handover.data(handover.CORRESPONDENT, handover.NEIGHBOUR, 59), *handover.TO_HOME_AGENT)
    story.add("ro-home-before", 0.7, handover.data(PEER, HOME_ADDRESS, 60), *TO_HOME_FROM_PEER)
    _by_triangle(story, "ro-before", 2.4, CARE_OF_1)
    init = home_test_init(b"cookie-a")
    story.add("hoti-1", 2.45, handover.tunnelled(CARE_OF_1, HOME_AGENT, init), *handover.FROM_VISITED1)
    story.add("hoti-1-out", 2.452, init, *TO_PEER_FROM_AGENT)
    story.add("coti-1-lost", 2.45, care_of_test_init(b"cookie-b", CARE_OF_1), TO_PEER_FROM_1[0])
    _by_triangle(story, "hot-1", 2.455, CARE_OF_1, instead=home_test(b"cookie-a"))
    story.add("coti-1", 3.46, care_of_test_init(b"cookie-c", CARE_OF_1), *TO_PEER_FROM_1)
    story.add("cot-1", 3.465, care_of_test(b"cookie-c", CARE_OF_1, TOKEN_1), *TO_1_FROM_PEER)
    story.add("cbu-1", 3.5, registration(100, CARE_OF_1, HOME_TOKEN, TOKEN_1), *TO_PEER_FROM_1)
    story.add("cba-1", 3.51, acknowledgement(100, CARE_OF_1, HOME_TOKEN, TOKEN_1), *TO_1_FROM_PEER)
    story.add("ro-to-1", 3.8, to_mobile(CARE_OF_1, 61), *TO_1_FROM_PEER)
    story.add("ro-from-1", 3.81, from_mobile(CARE_OF_1, 62), *TO_PEER_FROM_1)


def _be_refreshed(story: Story) -> None:
    request = inet6.IPv6(src=PEER, dst=HOME_ADDRESS) / inet6.MIP6MH_BRR()
    _by_triangle(story, "refresh-request", 4.6, CARE_OF_1, instead=request)
    story.add("coti-2", 4.65, care_of_test_init(b"cookie-d", CARE_OF_1), *TO_PEER_FROM_1)
    story.add("cot-2", 4.655, care_of_test(b"cookie-d", CARE_OF_1, TOKEN_1), *TO_1_FROM_PEER)
    story.add("cbu-2", 4.66, registration(101, CARE_OF_1, HOME_TOKEN, TOKEN_1), *TO_PEER_FROM_1)
    story.add("cba-2", 4.67, acknowledgement(101, CARE_OF_1, HOME_TOKEN, TOKEN_1), *TO_1_FROM_PEER)
    story.add("ro-to-2", 5.0, to_mobile(CARE_OF_1, 63), *TO_1_FROM_PEER)
    story.add("ro-from-2", 5.01, from_mobile(CARE_OF_1, 64), *TO_PEER_FROM_1)


def _move(story: Story) -> None:
    # The correspondent does not know yet, and sends to where the mobile node was.
    story.add("ro-late", 6.4, to_mobile(CARE_OF_1, 65), *TO_1_FROM_PEER)
    inner = handover.data(HOME_ADDRESS, PEER, 66)
    story.add("ro-reverse", 9.12, handover.tunnelled(CARE_OF_2, HOME_AGENT, inner), *handover.FROM_VISITED2)
    story.add("ro-reverse-out", 9.122, inner, *TO_PEER_FROM_AGENT)
    story.add("coti-3", 9.13, care_of_test_init(b"cookie-e", CARE_OF_2), *TO_PEER_FROM_2)
    story.add("cot-3", 9.135, care_of_test(b"cookie-e", CARE_OF_2, TOKEN_2), *TO_2_FROM_PEER)
    story.add("cbu-3", 9.14, registration(102, CARE_OF_2, HOME_TOKEN, TOKEN_2), *TO_PEER_FROM_2)
    story.add("cba-3", 9.15, acknowledgement(102, CARE_OF_2, HOME_TOKEN, TOKEN_2), *TO_2_FROM_PEER)
    story.add("ro-to-3", 9.4, to_mobile(CARE_OF_2, 67), *TO_2_FROM_PEER)
    story.add("ro-from-3", 9.41, from_mobile(CARE_OF_2, 68), *TO_PEER_FROM_2)


def _return(story: Story) -> None:
    story.add("cbu-4", 12.3, deletion(103, HOME_TOKEN), *TO_PEER_FROM_HOME)
    story.add("cba-4", 12.31, deletion_answer(103, HOME_TOKEN), *TO_HOME_FROM_PEER)
    story.add("ro-home-to", 12.5, handover.data(PEER, HOME_ADDRESS, 69), *TO_HOME_FROM_PEER)
    story.add("ro-home-from", 12.51, handover.data(HOME_ADDRESS, PEER, 70), *TO_PEER_FROM_HOME)
