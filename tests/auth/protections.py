"""Pairs of associations for tests, each with keys of its own."""

from ipaddress import IPv6Address

from lab.auth.esp import Association
from lab.auth.ipsec_policy import Protection, Protects

AGENT, OTHER_AGENT = IPv6Address("2001:db8:1::1"), IPv6Address("2001:db8:1::2")
HOME, OTHER_HOME = IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:1::101")


def association(spi: int) -> Association:
    return Association(spi=spi, integrity_key=spi.to_bytes(32, "big"), encryption_key=spi.to_bytes(16, "big"))


def protection(
    protects: Protects,
    spi: int = 0,
    home: IPv6Address = HOME,
    agent: IPv6Address = AGENT,
) -> Protection:
    """Make a pair; without a SPI each purpose has its own two."""
    spi = spi or 0x1000 + 2 * [*Protects].index(protects)
    return Protection(
        home_address=home,
        home_agent=agent,
        protects=protects,
        to_home_agent=association(spi),
        from_home_agent=association(spi + 1),
    )


REGISTRATION, PREFIXES, TESTS, PAYLOAD = map(protection, Protects)
OTHER_REGISTRATION = protection(Protects.REGISTRATION, 0x2000, OTHER_HOME)
