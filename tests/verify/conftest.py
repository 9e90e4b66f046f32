"""What the tests of captures share."""

import pytest

from tests.verify import dhcpv6, discovery, multicast, prefixes
from tests.verify.correspondence import add_correspondence
from tests.verify.handover import good_story
from tests.verify.story import Story


@pytest.fixture(scope="session")
def good() -> Story:
    """Give the good story, built once; who changes it takes a copy."""
    story = good_story()
    add_correspondence(story)
    discovery.tell(story)
    multicast.tell(story)
    prefixes.tell(story)
    dhcpv6.tell(story)
    return story
