"""The data planes that must pass the same tests."""

from functools import cache

import pytest

from lab.emulation.namespace import Namespace
from lab.errors import PlaneError
from lab.plane.bpf.plane import BpfPlane
from lab.plane.bpf.programs import probe
from lab.plane.user import UserPlane


@pytest.fixture(params=[UserPlane, BpfPlane], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[UserPlane]:
    """Give each plane that this kernel allows."""
    if request.param is BpfPlane and (obstacle := why_not_bpf()):
        pytest.skip(obstacle)
    kind: type[UserPlane] = request.param
    return kind


@cache
def why_not_bpf() -> str | None:
    namespace = Namespace()
    try:
        namespace.run(probe)
    except PlaneError as error:
        return str(error)
    finally:
        namespace.close()
    return None
