"""Policies and states in a kernel: what is made is what `ip xfrm` makes, and what is there is read whole."""

import contextlib
import shlex
from collections.abc import Iterator

import pytest

from lab.emulation.namespace import Namespace
from lab.errors import PlaneError
from lab.xfrm.kernel import Xfrm
from lab.xfrm.objects import Policy, PolicyKind, State
from tests.lab.networks import run_in
from tests.plane.conftest import why_not_kernel
from tests.unit.test_xfrm import BY_HOME_ADDRESS, MEANT
from tests.unit.xfrm_octets import SPOKEN

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(why_not_kernel() is not None, reason=f"kernel: {why_not_kernel()}"),
]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def xfrm(namespace: Namespace) -> Iterator[Xfrm]:
    with namespace.run(Xfrm) as made:
        yield made


def shown(namespace: Namespace) -> list[str]:
    return [run_in(namespace, "ip", "xfrm", what).stdout for what in ("state", "policy")]


def clear(xfrm: Xfrm) -> None:
    xfrm.flush_states()
    for kind in PolicyKind:
        xfrm.flush_policies(kind)


@pytest.mark.parametrize("start", MEANT)
def test_what_is_made_is_what_ip_makes(namespace: Namespace, xfrm: Xfrm, start: str) -> None:
    (command,) = [words for words in SPOKEN if words.startswith(start)]
    meant = MEANT[start]
    updates = command.startswith("xfrm state update")
    if updates:
        xfrm.add_state(BY_HOME_ADDRESS)
    if isinstance(meant, State):
        (xfrm.update_state if updates else xfrm.add_state)(meant)
        assert [*xfrm.states()] == [meant]
    else:
        xfrm.update_policy(meant)
        assert xfrm.policies() == [meant]
    ours = shown(namespace)
    clear(xfrm)
    assert shown(namespace) == ["", ""]
    if updates:
        xfrm.add_state(BY_HOME_ADDRESS)
    run_in(namespace, "ip", *shlex.split(command))
    assert shown(namespace) == ours
    assert any(ours)


@pytest.mark.parametrize("start", MEANT)
def test_what_is_removed_is_gone_and_may_be_removed_again(namespace: Namespace, xfrm: Xfrm, start: str) -> None:
    meant = MEANT[start]
    for _ in range(2):
        if isinstance(meant, Policy):
            with contextlib.suppress(PlaneError):
                xfrm.add_policy(meant)
            xfrm.remove_policy(meant)
        else:
            with contextlib.suppress(PlaneError):
                xfrm.add_state(meant)
            xfrm.remove_state(meant)
        assert shown(namespace) == ["", ""]
    (xfrm.remove_policy if isinstance(meant, Policy) else xfrm.remove_state)(meant)  # type: ignore[arg-type]


def test_refusals_are_told(xfrm: Xfrm) -> None:
    xfrm.add_state(BY_HOME_ADDRESS)
    with pytest.raises(PlaneError, match=r"add state of protocol 60 from .* File exists \(EEXIST\)"):
        xfrm.add_state(BY_HOME_ADDRESS)


def test_use_begins_at_nothing_and_is_told_of_what_is_there(xfrm: Xfrm) -> None:
    assert xfrm.use(BY_HOME_ADDRESS) is None
    xfrm.add_state(BY_HOME_ADDRESS)
    use = xfrm.use(BY_HOME_ADDRESS)
    assert use is not None
    assert (use.packets, use.octets) == (0, 0)
