"""Doctorings of the Mobility Header itself."""

from scapy.layers import inet6
from scapy.packet import Raw

from tests.verify import handover
from tests.verify.doctor import doctoring
from tests.verify.story import Scapy, Story


def _bare(update: Scapy) -> Scapy:
    """Give a home registration as it were without its Home Address option."""
    return inet6.IPv6(src=update.src, dst=update.dst) / update[inet6.MIP6MH_BU].copy()


def _with_options(*options: Scapy) -> Scapy:
    """Say the second Binding Update with these options, as they are, without Scapy's padding."""
    update = handover.binding_update(0xFFFF, handover.CARE_OF_1)
    update[inet6.MIP6MH_BU].autopad = 0
    update[inet6.MIP6MH_BU].options = list(options)
    return update


def _alternate() -> Scapy:
    return inet6.MIP6OptAltCoA(acoa=handover.CARE_OF_1)


@doctoring("mh-checksum")
def checksum_wrong(story: Story) -> str:
    return story.alter("bu-1", inet6.MIP6MH_BU, cksum=0xDEAD)


@doctoring("mh-checksum")
def checksum_over_the_care_of_address(story: Story) -> str:
    summed = inet6.IPv6(bytes(_bare(story.sent["bu-1"].packet)))[inet6.MIP6MH_BU].cksum
    return story.alter("bu-1", inet6.MIP6MH_BU, cksum=summed)


@doctoring("mh-checksum")
def checksum_over_the_care_of_address_in_the_answer(story: Story) -> str:
    answer = story.sent["ba-1"].packet
    plain = inet6.IPv6(src=answer.src, dst=answer.dst) / answer[inet6.MIP6MH_BA].copy()
    return story.alter("ba-1", inet6.MIP6MH_BA, cksum=inet6.IPv6(bytes(plain))[inet6.MIP6MH_BA].cksum)


@doctoring("mh-checksum")
def checksum_wrong_in_a_tunnel(story: Story) -> str:
    story.drop("hoti-out")  # what the home agent takes out of the tunnel would be another message
    return story.alter("hoti", inet6.MIP6MH_HoTI, cksum=0xDEAD)


@doctoring("mh-payload-proto")
def something_follows(story: Story) -> str:
    return story.alter("bu-1", inet6.MIP6MH_BU, nh=58)


@doctoring("mh-reserved")
def reserved_octet_of_the_header(story: Story) -> str:
    return story.alter("ba-6", inet6.MIP6MH_BA, res=1)


@doctoring("mh-reserved")
def reserved_bit_of_a_binding_update(story: Story) -> str:
    return story.alter("bu-2", inet6.MIP6MH_BU, reserved=1)


@doctoring("mh-reserved")
def reserved_bit_of_a_binding_acknowledgement(story: Story) -> str:
    return story.alter("ba-2", inet6.MIP6MH_BA, res2=1)


@doctoring("mh-reserved")
def reserved_field_of_a_home_test_init(story: Story) -> str:
    story.drop("hoti-out")
    return story.alter("hoti", inet6.MIP6MH_HoTI, reserved=b"\x00\x01")


@doctoring("mh-length")
def length_too_great(story: Story) -> str:
    return story.alter("ba-6", inet6.MIP6MH_BA, len=2)


@doctoring("mh-length")
def length_too_small(story: Story) -> str:
    return story.alter("ba-6", inet6.MIP6MH_BA, len=0)


@doctoring("mh-length")
def too_short_for_its_type(story: Story) -> str:
    update = inet6.IPv6(bytes(inet6.IPv6(src=handover.HOME_ADDRESS, dst=handover.HOME_AGENT) / inet6.MIP6MH_BRR()))
    update[inet6.MIP6MH_BRR].mhtype = 5
    del update[inet6.MIP6MH_BRR].cksum
    return story.add("stump", 0.7, update, handover.ON_HOME)


@doctoring("mh-length")
def too_short_for_any_type(story: Story) -> str:
    stump = inet6.IPv6(src=handover.HOME_ADDRESS, dst=handover.HOME_AGENT, nh=135) / Raw(b"\x3b\x00\x05\x00")
    return story.add("stump", 0.7, stump, handover.ON_HOME)


@doctoring("mh-alignment")
def alternate_care_of_address_at_8n_plus_4(story: Story) -> str:
    return story.replace("bu-2", _with_options(_alternate(), inet6.PadN(optdata=b"")))


@doctoring("mh-alignment")
def nonce_indices_at_2n_plus_1(story: Story) -> str:
    # Scapy believes that the option has 16 octets: its length has to be said.
    indices = inet6.MIP6OptNonceIndices(olen=4, hni=1, coni=2)
    return story.replace(
        "bu-2",
        _with_options(inet6.PadN(optdata=b""), _alternate(), inet6.Pad1(), indices, inet6.Pad1()),
    )


@doctoring("mh-alignment")
def authorization_data_at_8n(story: Story) -> str:
    # Here Scapy believes in 16 for 12.
    data = inet6.MIP6OptBindingAuthData(olen=12, authenticator=1)
    return story.replace("bu-2", _with_options(inet6.PadN(optdata=b""), _alternate(), data, inet6.PadN(optdata=b"")))


@doctoring("mh-alignment")
def option_beyond_the_end(story: Story) -> str:
    overlong = inet6.PadN(optlen=40, optdata=bytes(6))
    return story.replace("bu-2", _with_options(inet6.PadN(optdata=b""), _alternate(), overlong))
