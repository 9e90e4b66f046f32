"""How the prompt shows what nodes answer to `bindings`."""

from typing import Any

import pytest

from lab.engine.io import CutOff, DadSucceeded
from lab.report.caches import described
from tests.engine.home_agent_bench import HOME as SERVED
from tests.engine.home_agent_bench import Bench, from_home, update
from tests.engine.mobile_node_bench import MobileBench

HOME, PEER, AGENT, CARE_OF = "2001:db8:1::100", "2001:db8:c::2", "2001:db8:1::1", "2001:db8:a1::6"
WITH_PEER = {
    "peer": PEER,
    "home_address": HOME,
    "care_of_address": CARE_OF,
    "state": "bound",
    "sequence": 10,
    "remaining": 45.6,
    "home_token_age": 10.4,
    "care_of_token_age": 11.2,
}
AWAY: dict[str, Any] = {
    "peer": AGENT,
    "home_address": HOME,
    "care_of_address": CARE_OF,
    "state": "registered",
    "sequence": 1,
    "remaining": 48.7,
    "place": "away",
}
IN_CACHE = {"home_address": HOME, "state": "bound", "sequence": 10, "remaining": 46.0, "care_of_address": CARE_OF}


def test_a_mobile_node_tells_its_place_and_its_paths() -> None:
    assert described("mn", [AWAY, WITH_PEER]) == [
        "mn: away",
        "  home           with 2001:db8:1::1  at 2001:db8:a1::6  registered  #1   49 s left",
        "  correspondent  with 2001:db8:c::2  at 2001:db8:a1::6  bound       #10  "
        "direct path, 46 s left; tokens 10 s (home) and 11 s (care-of) old",
    ]


def test_a_home_agent_tells_who_is_cut_off() -> None:
    bench = Bench()
    bench.register()
    bench.take(CutOff(home_address=SERVED))
    bench.register(home=SERVED + 1)
    assert described("ha", bench.agent.snapshot(bench.now)) == [
        "ha:",
        "  home  of 2001:db8:1::101  at 2001:db8:a1::2  registered  #1  60 of 60 s left",
        "  home  of 2001:db8:1::100  at –               cut-off",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "testing", "remaining": 0.0, "home_token_age": None}, "no direct path; tokens 11 s (care-of) old"),
        ({"state": "resting", "remaining": 0.0, "home_token_age": None, "care_of_token_age": None}, "no direct path"),
        ({"state": "updating", "home_token_age": None, "care_of_token_age": None}, "direct path, 46 s left"),
    ],
)
def test_a_path_is_there_or_not(changes: dict[str, Any], told: str) -> None:
    assert described("mn", [AWAY, WITH_PEER | changes])[-1].endswith(f"{changes['state']:<10}  #10  {told}")


def test_a_cache_tells_whose_bindings() -> None:
    ended = {"home_address": HOME, "state": "ended", "sequence": 2, "remaining": 226.0}
    assert described("cn", [IN_CACHE | {"lifetime": 56}]) == [
        "cn:",
        "  correspondent  of 2001:db8:1::100  at 2001:db8:a1::6  bound  #10  direct path, 46 of 56 s left",
    ]
    assert described("cn", [ended])[1].endswith("at –  ended  #2  sequence number kept, 226 s left")


def test_no_bindings() -> None:
    assert described("cn", []) == ["cn: no bindings"]


def test_what_was_dropped_is_below() -> None:
    drops = {"wrong-outer-source": 200, "not-sent": 1}
    assert described("ha", [], drops) == ["ha: no bindings", "  dropped: 1 not-sent, 200 wrong-outer-source"]
    assert described("mn", [AWAY], drops)[2:] == ["  dropped: 1 not-sent, 200 wrong-outer-source"]


def test_what_engines_say_can_be_described() -> None:
    bench = Bench()
    bench.take(update(1))
    told = described("ha", bench.agent.snapshot(bench.now))
    bench.take(DadSucceeded(address=SERVED))
    told += described("ha", bench.agent.snapshot(bench.now))
    bench.take(from_home(2))
    told += described("ha", bench.agent.snapshot(bench.now))
    assert [line.split()[5] for line in told if line != "ha:"] == ["probing", "registered", "deregistered"]
    assert described("mn", MobileBench().node.snapshot(0.0))[0] == "mn: unattached"
