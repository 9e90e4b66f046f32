"""Doctorings of return routability."""

from scapy.layers import inet6

from tests.verify import correspondence, handover
from tests.verify.correspondence import (
    HOME_TOKEN,
    PEER,
    TO_1_FROM_PEER,
    TO_PEER_FROM_1,
    TOKEN_1,
    TOKEN_2,
    care_of_test,
    care_of_test_init,
    home_test_init,
)
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, CARE_OF_2, HOME_ADDRESS, HOME_AGENT
from tests.verify.story import Story

LATER = 300.0
"""Seconds: longer than any nonce lives."""


@doctoring("test-init-plain")
def home_address_option_in_a_care_of_test_init(story: Story) -> str:
    # The correspondent ignores it (§9.4.2).
    init = correspondence.from_care_of(CARE_OF_1) / inet6.MIP6MH_CoTI(cookie=b"cookie-b")
    return story.replace("coti-1-lost", init)


@doctoring("test-init-plain")
def routing_header_in_a_home_test_init(story: Story) -> str:
    header = inet6.IPv6ExtHdrRouting(type=2, addresses=[PEER])
    init = inet6.IPv6(src=HOME_ADDRESS, dst="2001:db8:c::9") / header / inet6.MIP6MH_HoTI(cookie=b"cookie-z")
    return story.add("routed", 5.2, handover.tunnelled(CARE_OF_1, HOME_AGENT, init), *handover.FROM_VISITED1)


@doctoring("test-init-path", also=("no-bare-home-source",))
def home_test_init_outside_the_tunnel(story: Story) -> str:
    story.drop("hoti-1")
    story.drop("hoti-1-out")
    return story.add("hoti-1", 2.45, home_test_init(b"cookie-a"), *TO_PEER_FROM_1)


@doctoring("test-init-path")
def care_of_test_init_through_the_tunnel(story: Story) -> str:
    inner = care_of_test_init(b"cookie-c", CARE_OF_1)
    story.replace("coti-1", handover.tunnelled(CARE_OF_1, HOME_AGENT, inner))
    story.add("coti-1-out", 3.462, inner, *correspondence.TO_PEER_FROM_AGENT)
    return "coti-1"


@doctoring("test-init-path")
def home_test_init_from_the_care_of_address(story: Story) -> str:
    init = home_test_init(b"cookie-z", home=CARE_OF_1)
    return story.add("hoti-z", 5.2, init, *TO_PEER_FROM_1)


@doctoring("test-init-cookie")
def cookie_again(story: Story) -> str:
    story.alter("cot-1", inet6.MIP6MH_CoT, cookie=b"cookie-b")
    return story.alter("coti-1", inet6.MIP6MH_CoTI, cookie=b"cookie-b")


@doctoring("test-init-cookie")
def cookie_again_although_answered(story: Story) -> str:
    story.alter("cot-2", inet6.MIP6MH_CoT, cookie=b"cookie-c")
    return story.alter("coti-2", inet6.MIP6MH_CoTI, cookie=b"cookie-c")


@doctoring("test-init-retransmission")
def asked_again_too_early(story: Story) -> str:
    return story.move("coti-1", 3.1)


@doctoring("test-init-retransmission")
def time_out_not_doubled(story: Story) -> str:
    # Neither is answered: the one that was would begin anew.
    for number, time in enumerate((3.0, 4.05, 5.05)):
        init = home_test_init(b"cookie-%d" % number, peer="2001:db8:c::9")
        story.add(f"hoti-{number + 7}", time, init, *correspondence.TO_PEER_FROM_AGENT)
    return "hoti-9"


@doctoring("test-init-rate")
def four_in_a_second(story: Story) -> str:
    for number in range(4):
        time, cookie = 5.1 + number * 0.2, b"cookie-%d" % number
        story.add(f"asked-{number}", time, care_of_test_init(cookie, CARE_OF_1), *TO_PEER_FROM_1)
        answer = care_of_test(cookie, CARE_OF_1, TOKEN_1)
        story.add(f"answered-{number}", time + 0.005, answer, *TO_1_FROM_PEER)
    return "asked-3"


@doctoring("test-answers")
def cookie_not_copied(story: Story) -> str:
    story.alter("hot-1-tunnel", inet6.MIP6MH_HoT, cookie=b"cookie-x")
    return story.alter("hot-1", inet6.MIP6MH_HoT, cookie=b"cookie-x")


@doctoring("test-answers")
def care_of_cookie_in_a_home_test(story: Story) -> str:
    story.alter("hot-1-tunnel", inet6.MIP6MH_HoT, cookie=b"cookie-b")
    return story.alter("hot-1", inet6.MIP6MH_HoT, cookie=b"cookie-b")


@doctoring("test-answers")
def care_of_test_to_another_address(story: Story) -> str:
    return story.add("cot-9", 5.2, care_of_test(b"cookie-d", CARE_OF_2, TOKEN_2), *TO_1_FROM_PEER)


@doctoring("test-answers")
def home_test_straight_to_the_care_of_address(story: Story) -> str:
    test = correspondence.to_care_of(CARE_OF_1) / correspondence.home_test(b"cookie-a")[inet6.MIP6MH_HoT].copy()
    return story.add("hot-2", 5.2, test, *TO_1_FROM_PEER)


@doctoring("token-repeats")
def another_token_for_the_same_nonce(story: Story) -> str:
    story.alter("cot-2", inet6.MIP6MH_CoT, token=b"another!")
    story.replace("cbu-2", correspondence.registration(101, CARE_OF_1, HOME_TOKEN, b"another!"))
    story.replace("cba-2", correspondence.acknowledgement(101, CARE_OF_1, HOME_TOKEN, b"another!"))
    return "cot-2"


@doctoring("nonce-lifetime")
def nonce_still_given_when_it_has_expired(story: Story) -> str:
    story.add("coti-9", 12.0 + LATER, care_of_test_init(b"cookie-9", CARE_OF_1), *TO_PEER_FROM_1)
    return story.add("cot-9", 12.01 + LATER, care_of_test(b"cookie-9", CARE_OF_1, TOKEN_1), *TO_1_FROM_PEER)


@doctoring("nonce-lifetime", also=("cbu-token-age",))
def nonce_still_accepted_when_it_has_expired(story: Story) -> str:
    story.move("cbu-4", 12.3 + LATER)
    return story.move("cba-4", 12.31 + LATER)
