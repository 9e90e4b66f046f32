"""Every exercise both ways: the attack fails while its protection is in force, and succeeds without it (§15)."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest

from lab.emulation.exercise import PREFIX, Exercise
from lab.emulation.scenario import library
from lab.report.model import load
from tests.lab.networks import ROOT

EXERCISES = {
    "false-home-registration": ("5.1-a", "15.3-a"),
    "stolen-home-address": ("5.1-b",),
    "lying-mobile-node": ("15.3-c",),
    "replayed-home-registration": ("15.3-a", "10.3.1-f"),
    "replayed-binding-update": ("15.4.4-a", "9.5.1-b"),
    "replay-after-deletion": ("15.4.4-a", "5.2.8-a"),
    "guessed-token": ("15.4-a", "9.5.1-d"),
    "forged-return": ("15.4.6-a",),
    "overheard-home-test": ("15.4-a", "9.5.2-a"),
    "lasting-hijack": ("15.4-a", "9.5.2-a"),
    "hoarded-token": ("15.4-a", "5.2.7-a"),
    "flooded-victim": ("15.4-a", "5.2.6-a"),
    "tunnel-from-outside": ("15.7-a", "10.4.5-a"),
    "tunnel-by-care-of-address": ("15.7-a",),
    "forged-prefix-advertisement": ("15.6-a", "11.4.3-a"),
    "false-router-abroad": ("11.5.1-a",),
    "false-router-at-home": ("11.5.1-a",),
    "home-agents-found": ("10.5-a",),
    "forged-parameter-problem": ("11.3.5-a",),
    "forged-binding-error": ("11.3.6-a",),
    "reflection": ("15.8-a", "9.3.1-a"),
    "source-route": ("15.9-a", "6.4-a"),
    "routing-header-firewall": ("6.4-b",),
    "private-address-leak": ("15.7-b", "5.5-d"),
    "home-agents-in-a-circle": ("15.1-a",),
    "test-init-flood": ("15.4.5-a",),
    "false-update-flood": ("15.4.5-a",),
}
"""Names, and the requirements of RFC 6275 that withstand the attack."""
DECLARED = {name: it for name, it in library().scenarios.items() if isinstance(it, Exercise)}


def test_every_exercise_is_played() -> None:
    assert {PREFIX + name for name in EXERCISES} == {*DECLARED}


FLOODS = {"test-init-flood", "false-update-flood"}
"""They need the processors for themselves, and so come last."""
AT_ONCE = 2
"""Others wait for their networks most of the time."""
Done: TypeAlias = "subprocess.CompletedProcess[str]"


def play(name: str, protected: bool, folder: Path) -> Done:
    options = [] if protected else ["--without", str(DECLARED[PREFIX + name].withstood_by)]
    command = [sys.executable, "-m", "lab.cli.main", "run", PREFIX + name, "--out", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exercises")


@pytest.fixture(scope="module")
def playing(request: pytest.FixtureRequest, folders: Path) -> Iterator[dict[str, Future[Done]]]:
    """Play what was selected, some at once, by names of folders."""
    selected = [item.callspec.params for item in request.session.items if item.originalname == "test_exercise"]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            folder: pool.submit(play, name, protected, folders / folder)
            for name, protected in ((params["name"], params["protected"]) for params in selected)
            if name not in FLOODS and (protected or DECLARED[PREFIX + name].withstood_by is not None)
            for folder in [folder_of(name, protected)]
        }


def folder_of(name: str, protected: bool) -> str:
    return f"{name}-{'protected' if protected else 'without'}"


@pytest.mark.privileged
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "without"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.rfc6275(*proves)) for name, proves in EXERCISES.items()]
)
def test_exercise(name: str, protected: bool, folders: Path, playing: dict[str, Future[Done]]) -> None:
    safeguard = DECLARED[PREFIX + name].withstood_by
    if safeguard is None and not protected:
        pytest.skip("RFC 6275 has no protection against it that could be switched off")
    folder = folder_of(name, protected)
    done = play(name, protected, folders / folder) if name in FLOODS else playing[folder].result()
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    result = load(folders / folder)
    attack = result.attack
    assert attack is not None
    assert (attack.attempted, attack.succeeded) == (True, safeguard is None or not protected)
    assert attack.evidence
    assert result.without == ([] if protected else [safeguard])
    assert ("WITHOUT" in done.stdout) is not protected
    assert ('class="off"' in (folders / folder / "report.html").read_text(encoding="utf-8")) is not protected
