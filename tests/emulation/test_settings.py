"""What `--set key=value` takes and what it refuses."""

import dataclasses

import pytest

from lab.daemon.config import PlaneName
from lab.emulation.settings import Settings, settings_from
from lab.engine.config import DadMode
from lab.errors import ConfigError


def test_nothing_set_is_the_default() -> None:
    assert settings_from([]) == Settings()


def test_each_kind_of_value_is_read() -> None:
    words = [
        "ra_interval=0.5",
        "ra_unicast=off",
        "dad=standard",
        "lifetime=120",
        "outage=0.25",
        "hint=yes",
        "plane=auto",
    ]
    assert settings_from(words) == Settings(
        ra_interval=0.5,
        ra_unicast=False,
        dad=DadMode.STANDARD,
        lifetime=120,
        outage=0.25,
        hint=True,
        plane=PlaneName.AUTO,
    )


def test_what_is_set_last_holds_and_the_rest_stays() -> None:
    base = Settings(lifetime=20, hint=True)
    assert settings_from(["lifetime=8", "lifetime=12"], base) == dataclasses.replace(base, lifetime=12)


@pytest.mark.parametrize(
    "changed", [Settings(), Settings(hint=True, dad=DadMode.STANDARD, ra_interval=1.5, lifetime=8)]
)
def test_a_report_s_settings_can_be_set_again(changed: Settings) -> None:
    """`result.json` and `report.html` show each value by `str`."""
    words = [f"{key}={value}" for key, value in dataclasses.asdict(changed).items()]
    assert settings_from(words) == changed


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("lifetime", "--set lifetime: write it as key=value; keys: ra_interval, ra_unicast, "),
        ("", "--set : write it as key=value"),
        ("=5", "--set =5: unknown key ''; keys: ra_interval"),
        ("livetime=60", "--set livetime=60: unknown key 'livetime'; did you mean lifetime?"),
        ("zzz=60", "--set zzz=60: unknown key 'zzz'; keys: ra_interval, "),
        ("lifetime=long", "--set lifetime=long: not a value for lifetime: int is wanted"),
        ("lifetime=60.0", "--set lifetime=60.0: not a value for lifetime: int is wanted"),
        ("lifetime=", "--set lifetime=: not a value for lifetime: int is wanted"),
        ("outage=ten", "--set outage=ten: not a value for outage: float is wanted"),
        ("hint=1", "--set hint=1: not a value for hint: on or off is wanted"),
        ("dad=off", "--set dad=off: not a value for dad: optimistic or standard is wanted"),
        ("encapsulation_limit=-1", "encapsulation_limit: from 0 to 255"),
        ("encapsulation_limit=256", "encapsulation_limit: from 0 to 255"),
        ("ipsec=maybe", "--set ipsec=maybe: not a value for ipsec: on or off is wanted"),
        ("lifetime=0", "lifetime: a multiple of 4 seconds, from 4 to 262140"),
        ("lifetime=-4", "lifetime: a multiple of 4 seconds"),
        ("lifetime=62", "lifetime: a multiple of 4 seconds"),
        ("lifetime=262144", "lifetime: a multiple of 4 seconds"),
        ("ra_interval=0.049", "ra_interval: from 0.05 to 1285"),
        ("ra_interval=1286", "ra_interval: from 0.05 to 1285"),
        ("ra_interval=nan", "ra_interval: from 0.05 to 1285"),
        ("outage=0.001", "outage: from 0.002"),
        ("outage=61", "outage: from 0.002"),
        ("outage=nan", "outage: from 0.002"),
        ("outage=inf", "outage: from 0.002"),
        ("nonce_lifetime=7.9", "nonce_lifetime: from 8 to 240 seconds"),
        ("nonce_lifetime=241", "nonce_lifetime: from 8 to 240 seconds"),
        ("nonce_lifetime=nan", "nonce_lifetime: from 8 to 240 seconds"),
        ("flood=9999", "flood: at least 10000 packets"),
        ("plane=none", "--set plane=none: not a value for plane: auto or bpf or kernel or user is wanted"),
    ],
)
def test_what_is_wrong_is_named(word: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from([word])
    assert str(caught.value).startswith(said)


@pytest.mark.rfc6275("7.5-a")
@pytest.mark.parametrize("interval", [0.05, 0.06, 1.0, 1285.0])
def test_routers_keep_within_what_neighbor_discovery_allows(interval: float) -> None:
    """RFC 4861 §6.2.1 with the lower limits of RFC 6275 §7.5."""
    chosen = Settings(ra_interval=interval)
    assert 0.07 <= chosen.max_ra_interval <= 1800
    assert 0.03 <= chosen.min_ra_interval <= 0.75 * chosen.max_ra_interval
    assert (chosen.min_ra_interval + chosen.max_ra_interval) / 2 == pytest.approx(interval, abs=0.001)


def test_payload_is_not_protected_without_associations() -> None:
    with pytest.raises(ConfigError, match="ipsec_payload: needs ipsec=on"):
        settings_from(["ipsec=off", "ipsec_payload=on"])
