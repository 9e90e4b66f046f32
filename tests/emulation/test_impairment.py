"""What a link does to packets: the words for it, and the kernel's part."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from lab.emulation.impairment import UNIMPAIRED, Impairment, impair, parse
from lab.emulation.namespace import Namespace
from lab.errors import MissingError, PlaneError, TopologyError
from lab.netlink import Netlink


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", UNIMPAIRED),
        ("delay=20ms", Impairment(delay=0.02)),
        ("delay=1.5s jitter=0.5 loss=1% rate=2mbit", Impairment(delay=1.5, jitter=0.5, loss=0.01, rate=2e6)),
        ("loss=.25 rate=64kbit", Impairment(loss=0.25, rate=64e3)),
    ],
)
def test_words(words: str, meant: Impairment) -> None:
    assert parse(words.split()) == meant


@pytest.mark.parametrize("word", ["delay", "delay=", "delay=fast", "delay=-1", "delay=1%", "loss=1ms", "speed=1", "=1"])
def test_other_words_are_refused_with_an_example(word: str) -> None:
    with pytest.raises(ValueError, match="write delay=20ms"):
        parse([word])


def test_the_impossible_is_refused() -> None:
    with pytest.raises(TopologyError, match="loss=2: from 0 to 1"):
        parse(["loss=200%"])


@pytest.mark.parametrize(
    ("impairment", "needs"),
    [(Impairment(delay=1.0), True), (Impairment(loss=0.1), True), (Impairment(rate=1e6), False)],
)
def test_what_needs_netem(impairment: Impairment, needs: bool) -> None:
    assert impairment.needs_netem is needs


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Make a namespace with a pair of interfaces, number 10 and 11."""
    with closing(Namespace()) as made:
        made.netlink.create_veth("left", "right", index=10, peer_index=11)
        yield made


def queue(namespace: Namespace) -> str:
    show = ["tc", "qdisc", "show", "dev", "left"]
    return namespace.run(lambda: subprocess.run(show, capture_output=True, text=True, check=True).stdout)


def without(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a kernel that lacks something."""
    real: Callable[..., None] = Netlink._queue

    def try_it(self: Netlink, interface: int, kind: str, options: bytes) -> None:
        if kind == refused:
            raise PlaneError(f"{kind} on link {interface}: No such file or directory (ENOENT)")
        real(self, interface, kind, options)

    monkeypatch.setattr(Netlink, "_queue", try_it)


@pytest.mark.privileged
def test_a_rate_needs_no_netem(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    without("netem", monkeypatch)
    impair(namespace.netlink, 10, Impairment(rate=2e6))
    assert "tbf" in queue(namespace)
    assert "rate 2Mbit" in queue(namespace)
    impair(namespace.netlink, 10, Impairment(rate=4e9))
    assert "rate 4Gbit" in queue(namespace)
    for _ in range(2):  # what is not there is no error
        impair(namespace.netlink, 10, UNIMPAIRED)
        assert "tbf" not in queue(namespace)


@pytest.mark.privileged
def test_delay_without_netem_says_what_to_do(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    without("netem", monkeypatch)
    with pytest.raises(MissingError, match=r"netem on link 10: .*; modprobe sch_netem, or --kernel guest"):
        impair(namespace.netlink, 10, Impairment(delay=0.02, rate=2e6))


@pytest.mark.privileged
def test_netem_does_all(namespace: Namespace) -> None:
    try:
        impair(namespace.netlink, 10, Impairment(delay=0.02, jitter=0.005, loss=0.25, rate=2e6))
    except MissingError as error:
        pytest.skip(str(error))
    shown = queue(namespace)
    assert all(word in shown for word in ("netem", "delay 20ms  5ms", "loss 25%", "rate 2Mbit")), shown
    impair(namespace.netlink, 10, Impairment(loss=1.0))
    assert "loss 100%" in queue(namespace)
