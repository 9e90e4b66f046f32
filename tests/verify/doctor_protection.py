"""Doctorings of the protection between mobile nodes and home agents, in the story that has it."""

from functools import partial

from scapy.layers import inet6

from tests.verify import correspondence, handover, prefixes
from tests.verify.doctor import doctoring
from tests.verify.handover import (
    AR1_VISITED,
    CARE_OF_1,
    CARE_OF_2,
    FORGER,
    FROM_VISITED1,
    HOME_ADDRESS,
    HOME_AGENT,
    TO_VISITED1,
)
from tests.verify.protected import Association, registers
from tests.verify.story import Hop, Scapy, Story

of_protection = partial(doctoring, protected=True)
OTHER_HOME_ADDRESS, ELSEWHERE = "2001:db8:1::200", "2001:db8:a1::bad"
LATE = 12.6
"""The mobile node is at home; its last Binding Update had number 7, the last acknowledgement 5."""
FROM_FORGER = (Hop("visited1", FORGER, AR1_VISITED), FROM_VISITED1[1])


def forged(home_address: str = HOME_ADDRESS) -> Scapy:
    """Say a Binding Update that leads packets to somebody else."""
    update = handover.binding_update(9, ELSEWHERE)
    update[inet6.HAO].hoa = home_address
    return update


def _accept(story: Story, home_address: str = HOME_ADDRESS) -> str:
    answer = handover.acknowledgement(9, ELSEWHERE)
    answer[inet6.IPv6ExtHdrRouting].addresses = [home_address]
    return story.add("accepted", LATE + 0.01, registers(outgoing=False).seal(answer, 8), *TO_VISITED1)


@of_protection("esp-registration")
def update_in_the_clear(story: Story) -> str:
    return story.replace("bu-3", handover.binding_update(0, CARE_OF_2))


@of_protection("esp-registration")
def acknowledgement_in_the_clear(story: Story) -> str:
    return story.replace("ba-2", handover.acknowledgement(0xFFFF, CARE_OF_1))


@of_protection("esp-registration")
def acknowledgement_at_home_in_the_clear(story: Story) -> str:
    return story.replace("ba-6", handover.acknowledgement_at_home(3))


@of_protection("esp-accepted", also=("ba-sequence",))
def update_in_the_clear_accepted(story: Story) -> str:
    story.add("forged-update", LATE, forged(), *FROM_FORGER)
    return _accept(story)


@of_protection("esp-accepted", also=("ba-sequence",))
def update_with_a_wrong_icv_accepted(story: Story) -> str:
    sealed = bytes(registers().seal(forged(), 9))
    story.add("forged-update", LATE, inet6.IPv6(sealed[:-1] + bytes((sealed[-1] ^ 1,))), *FROM_FORGER)
    return _accept(story)


@of_protection("esp-accepted", also=("ba-sequence", "esp-home-address"))
def update_for_another_home_address_accepted(story: Story) -> str:
    story.add("forged-update", LATE, registers().seal(forged(OTHER_HOME_ADDRESS), 9), *FROM_FORGER)
    return _accept(story, OTHER_HOME_ADDRESS)


@of_protection("esp-accepted", also=("tunnel-current",))
def update_in_the_clear_obeyed(story: Story) -> str:
    story.add("forged-update", LATE, forged(), *FROM_FORGER)
    stolen = handover.data(handover.CORRESPONDENT, HOME_ADDRESS, 95)
    return story.add("stolen", LATE + 0.1, handover.tunnelled(HOME_AGENT, ELSEWHERE, stolen), *TO_VISITED1)


@of_protection("esp-home-address")
def another_home_address_by_the_same_association(story: Story) -> str:
    return story.add("insider", LATE, registers().seal(forged(OTHER_HOME_ADDRESS), 9), *FROM_FORGER)


@of_protection("esp-care-of-address")
def another_association_at_another_care_of_address(story: Story) -> str:
    other = Association(OTHER_HOME_ADDRESS, tunnel=False, outgoing=True)
    story.table.append(other.line)
    return story.replace("bu-3", other.seal(handover.binding_update(0, CARE_OF_2), 1))


@of_protection("esp-sequence")
def esp_sequence_number_again(story: Story) -> str:
    return story.replace("bu-4", registers().seal(handover.binding_update(1, CARE_OF_2), 4))


@of_protection("esp-sequence")
def esp_sequence_number_from_before(story: Story) -> str:
    return story.replace("ba-5", registers(outgoing=False).seal(handover.acknowledgement(2, CARE_OF_2), 2))


@of_protection("esp-prefix")
def prefix_solicitation_in_the_clear(story: Story) -> str:
    return story.replace("mps-2", prefixes.solicitation(prefixes.SECOND, CARE_OF_2))


@of_protection("esp-prefix")
def prefix_advertisement_in_the_clear(story: Story) -> str:
    return story.replace("mpa-2", prefixes.advertisement(prefixes.SECOND, CARE_OF_2))


@of_protection("esp-home-test")
def home_test_init_in_the_clear(story: Story) -> str:
    return story.replace("hoti", handover.tunnelled(CARE_OF_1, HOME_AGENT, handover.home_test_init()))


@of_protection("esp-home-test")
def home_test_in_the_clear(story: Story) -> str:
    plain = handover.tunnelled(HOME_AGENT, CARE_OF_1, correspondence.home_test(b"cookie-a"))
    return story.replace("hot-1-tunnel", plain)
