"""The data planes that must pass the same tests."""

from collections.abc import Callable
from functools import cache

import pytest

from lab.emulation.namespace import Namespace
from lab.errors import PlaneError
from lab.plane.bpf import programs
from lab.plane.bpf.plane import BpfPlane
from lab.plane.kernel import probe as kernel
from lab.plane.kernel.plane import KernelPlane
from lab.plane.user import UserPlane


@pytest.fixture(params=[UserPlane, BpfPlane, KernelPlane], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[UserPlane]:
    """Give each plane that this kernel allows."""
    if request.param is BpfPlane and (obstacle := why_not_bpf()):
        pytest.skip(obstacle)
    if request.param is KernelPlane and (obstacle := why_not_kernel()):
        pytest.skip(obstacle)
    kind: type[UserPlane] = request.param
    return kind


def why_not_bpf() -> str | None:
    return _why_not(programs.probe)


def why_not_kernel() -> str | None:
    return _why_not(kernel.probe)


@cache
def _why_not(probe: Callable[[], None]) -> str | None:
    namespace = Namespace()
    try:
        namespace.run(probe)
    except PlaneError as error:
        return str(error)
    finally:
        namespace.close()
    return None
