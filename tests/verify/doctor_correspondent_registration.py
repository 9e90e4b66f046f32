"""Doctorings of registrations with correspondents."""

from scapy.layers import inet6

from tests.verify import correspondence
from tests.verify.correspondence import (
    HOME_TOKEN,
    INDEX,
    LIFETIME,
    PEER,
    TO_2_FROM_PEER,
    TO_PEER_FROM_1,
    TOKEN_1,
    TOKEN_2,
    acknowledgement,
    answer,
    from_care_of,
    registration,
    signed,
    to_care_of,
    update,
)
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, CARE_OF_2, HOME_ADDRESS
from tests.verify.story import Scapy, Story

EXPIRED_NONCES = 138
LATER = 230.0
"""Seconds: longer than tokens, shorter than nonces live."""


def _flags(story: Story, flags: str) -> str:
    draft = from_care_of(CARE_OF_1) / update(101)
    draft[inet6.MIP6MH_BU].flags = flags
    return story.replace("cbu-2", signed(draft, CARE_OF_1, HOME_TOKEN, TOKEN_1))


@doctoring("cbu-flags")
def home_registration_bit(story: Story) -> str:
    return _flags(story, "AH")


@doctoring("cbu-flags")
def link_local_bit(story: Story) -> str:
    return _flags(story, "AL")


@doctoring("cbu-flags")
def key_management_bit(story: Story) -> str:
    return _flags(story, "AK")


@doctoring("cbu-home-address")
def home_address_option_at_8n_plus_2(story: Story) -> str:
    checksum = inet6.IPv6(bytes(story.sent["cbu-2"].packet))[inet6.MIP6MH_BU].cksum
    story.alter("cbu-2", inet6.MIP6MH_BU, cksum=checksum)
    options = [inet6.HAO(hoa=HOME_ADDRESS), inet6.PadN(optdata=bytes(2))]
    return story.alter("cbu-2", inet6.IPv6ExtHdrDestOpt, autopad=0, options=options)


@doctoring("cbu-home-address")
def home_address_option_missing(story: Story) -> str:
    # The correspondent takes the care-of address for a home address without tokens, and drops it.
    story.drop("cba-2")
    return story.replace(
        "cbu-2", inet6.IPv6(src=CARE_OF_1, dst=PEER) / story.sent["cbu-2"].packet[inet6.MIP6MH_BU].copy()
    )


def _options(story: Story, *options: Scapy) -> str:
    # Without what it needs to judge it, the correspondent drops it.
    story.drop("cba-2")
    return story.alter("cbu-2", inet6.MIP6MH_BU, options=list(options))


@doctoring("cbu-options")
def nonce_indices_missing(story: Story) -> str:
    return _options(story, inet6.MIP6OptBindingAuthData(olen=12))


@doctoring("cbu-options")
def authorisation_missing(story: Story) -> str:
    return _options(story, inet6.MIP6OptNonceIndices(olen=4, hni=INDEX, coni=INDEX))


@doctoring("cbu-options")
def authorisation_not_the_last(story: Story) -> str:
    story.drop("cba-2")
    draft = from_care_of(CARE_OF_1) / update(101)
    draft[inet6.MIP6MH_BU].options += [inet6.PadN(optdata=bytes(6))]
    return story.replace("cbu-2", signed(draft, CARE_OF_1, HOME_TOKEN, TOKEN_1))


@doctoring("cbu-lifetime")
def more_asked_than_allowed(story: Story) -> str:
    return story.replace("cbu-2", registration(101, CARE_OF_1, HOME_TOKEN, TOKEN_1, lifetime=LIFETIME + 1))


def _indices(story: Story, home: int, care_of: int) -> str:
    draft = from_care_of(CARE_OF_2) / update(102, home_index=home, care_of_index=care_of)
    return story.replace("cbu-3", signed(draft, CARE_OF_2, HOME_TOKEN, TOKEN_2))


@doctoring("cbu-tokens")
def home_nonce_index_never_given(story: Story) -> str:
    return _indices(story, INDEX + 1, INDEX)


@doctoring("cbu-tokens")
def care_of_nonce_index_never_given(story: Story) -> str:
    return _indices(story, INDEX, INDEX + 1)


@doctoring("cbu-tokens")
def registration_before_the_care_of_test(story: Story) -> str:
    story.move("cot-3", 9.145)
    return "cbu-3"


@doctoring("cbu-tokens")
def registration_without_any_test_of_the_care_of_address(story: Story) -> str:
    story.drop("coti-3")
    story.drop("cot-3")
    return "cbu-3"


@doctoring("cbu-tokens")
def registration_before_the_home_test(story: Story) -> str:
    story.move("hot-1", 3.505)
    story.move("hot-1-tunnel", 3.506)
    return "cbu-1"


@doctoring("cbu-token-age")
def token_too_old(story: Story) -> str:
    story.move("cbu-4", 12.3 + LATER)
    story.move("cba-4", 12.31 + LATER)
    return "cbu-4"


def _resign(story: Story, address: str, *tokens: bytes, peer: str = PEER) -> str:
    return story.replace("cbu-2", signed(from_care_of(CARE_OF_1) / update(101), address, *tokens, peer=peer))


@doctoring("cbu-authenticator")
def authenticator_by_the_home_token_alone(story: Story) -> str:
    return _resign(story, CARE_OF_1, HOME_TOKEN)


@doctoring("cbu-authenticator")
def authenticator_by_a_guessed_token(story: Story) -> str:
    return _resign(story, CARE_OF_1, HOME_TOKEN, TOKEN_2)


@doctoring("cbu-authenticator")
def authenticator_by_tokens_in_the_wrong_order(story: Story) -> str:
    return _resign(story, CARE_OF_1, TOKEN_1, HOME_TOKEN)


@doctoring("cbu-authenticator")
def authenticator_over_the_home_address(story: Story) -> str:
    return _resign(story, HOME_ADDRESS, HOME_TOKEN, TOKEN_1)


@doctoring("cbu-authenticator")
def authenticator_over_another_correspondent(story: Story) -> str:
    return _resign(story, CARE_OF_1, HOME_TOKEN, TOKEN_1, peer=CARE_OF_1)


@doctoring("cbu-authenticator")
def deletion_by_both_tokens(story: Story) -> str:
    return story.replace("cbu-4", correspondence.deletion(103, HOME_TOKEN, TOKEN_2))


@doctoring("cbu-after-home")
def correspondent_told_before_the_home_agent_answered(story: Story) -> str:
    story.drop("ro-reverse", "ro-reverse-out")
    for name, time in (("coti-3", 7.2), ("cot-3", 7.21), ("cbu-3", 7.22), ("cba-3", 7.23)):
        story.move(name, time)
    return "cbu-3"


@doctoring("cbu-after-home")
def correspondent_told_of_the_return_before_the_home_agent_answered(story: Story) -> str:
    story.move("cbu-4", 11.107)
    story.move("cba-4", 11.2)
    return "cbu-4"


@doctoring("cba-authenticator")
def acknowledgement_without_authorisation(story: Story) -> str:
    return story.alter("cba-2", inet6.MIP6MH_BA, options=[])


@doctoring("cba-authenticator")
def acknowledgement_by_another_key(story: Story) -> str:
    return story.replace("cba-2", acknowledgement(101, CARE_OF_1, HOME_TOKEN))


@doctoring("cba-authenticator")
def acknowledgement_changed_on_its_way(story: Story) -> str:
    return story.alter("cba-2", inet6.MIP6MH_BA, mhtime=LIFETIME - 1)


@doctoring("cba-authenticator")
def refusal_without_authorisation(story: Story) -> str:
    return story.replace("cba-2", to_care_of(CARE_OF_1) / inet6.MIP6MH_BA(seq=101, status=130))


@doctoring("cba-authenticator")
def authorisation_with_expired_nonces(story: Story) -> str:
    return story.replace("cba-2", acknowledgement(101, CARE_OF_1, HOME_TOKEN, TOKEN_1, status=EXPIRED_NONCES))


@doctoring("cba-lifetime", also=("cbu-lifetime",))
def more_granted_than_allowed(story: Story) -> str:
    story.replace("cbu-2", registration(101, CARE_OF_1, HOME_TOKEN, TOKEN_1, lifetime=LIFETIME + 1))
    return story.replace("cba-2", acknowledgement(101, CARE_OF_1, HOME_TOKEN, TOKEN_1, lifetime=LIFETIME + 1))


@doctoring("ba-lifetime")
def correspondent_grants_more_than_asked(story: Story) -> str:
    story.replace("cbu-2", registration(101, CARE_OF_1, HOME_TOKEN, TOKEN_1, lifetime=LIFETIME - 1))
    return "cba-2"


@doctoring("ba-sequence")
def correspondent_acknowledges_another_number(story: Story) -> str:
    return story.replace("cba-2", acknowledgement(777, CARE_OF_1, HOME_TOKEN, TOKEN_1))


@doctoring("ba-routing")
def correspondent_answers_without_a_routing_header(story: Story) -> str:
    plain = inet6.IPv6(src=PEER, dst=CARE_OF_1) / answer(101)
    return story.replace("cba-2", signed(plain, CARE_OF_1, HOME_TOKEN, TOKEN_1))


@doctoring("ba-routing")
def correspondent_answers_home_with_a_routing_header(story: Story) -> str:
    routed = to_care_of(HOME_ADDRESS) / answer(103, lifetime=0)
    return story.replace("cba-4", signed(routed, HOME_ADDRESS, HOME_TOKEN))


@doctoring("bu-sequence")
def sequence_number_again_for_a_correspondent(story: Story) -> str:
    story.replace("cba-2", acknowledgement(100, CARE_OF_1, HOME_TOKEN, TOKEN_1))
    return story.replace("cbu-2", registration(100, CARE_OF_1, HOME_TOKEN, TOKEN_1))


@doctoring("bu-rate")
def correspondent_told_four_times_in_a_second(story: Story) -> str:
    for number in range(3):
        time, sequence = 9.5 + number * 0.05, 103 + number
        told, answered = (one(sequence, CARE_OF_2, HOME_TOKEN, TOKEN_2) for one in (registration, acknowledgement))
        story.add(f"told-{number}", time, told, *correspondence.TO_PEER_FROM_2)
        story.add(f"answered-{number}", time + 0.01, answered, *TO_2_FROM_PEER)
    story.replace("cbu-4", correspondence.deletion(106, HOME_TOKEN))
    story.replace("cba-4", correspondence.deletion_answer(106, HOME_TOKEN))
    return "told-2"


@doctoring("bu-retransmission")
def correspondent_told_again_too_early(story: Story) -> str:
    story.replace("cbu-2", registration(102, CARE_OF_1, HOME_TOKEN, TOKEN_1))
    story.replace("cba-2", acknowledgement(102, CARE_OF_1, HOME_TOKEN, TOKEN_1))
    lost = registration(101, CARE_OF_1, HOME_TOKEN, TOKEN_1)
    story.add("cbu-lost", 4.658, lost, TO_PEER_FROM_1[0])
    story.replace("cbu-3", registration(103, CARE_OF_2, HOME_TOKEN, TOKEN_2))
    story.replace("cba-3", acknowledgement(103, CARE_OF_2, HOME_TOKEN, TOKEN_2))
    story.replace("cbu-4", correspondence.deletion(104, HOME_TOKEN))
    story.replace("cba-4", correspondence.deletion_answer(104, HOME_TOKEN))
    return "cbu-2"


def _request(story: Story, name: str, time: float) -> str:
    request = inet6.IPv6(src=PEER, dst=HOME_ADDRESS) / inet6.MIP6MH_BRR()
    return story.add(name, time, request, *correspondence.TO_AGENT_FROM_PEER)


@doctoring("refresh-requests")
def refresh_of_no_binding(story: Story) -> str:
    return _request(story, "brr-early", 2.6)


@doctoring("refresh-requests")
def refresh_of_a_deleted_binding(story: Story) -> str:
    return _request(story, "brr-late", 13.0)


@doctoring("refresh-requests")
def refresh_asked_too_often(story: Story) -> str:
    return [_request(story, f"brr-{number}", 9.2 + number * 0.2) for number in range(6)][-1]


@doctoring("refresh-requests")
def refresh_asked_too_fast(story: Story) -> str:
    return [_request(story, f"brr-{number}", 9.2 + number * 0.1) for number in range(4)][-1]
