"""What all tests share: which are skipped and why, seeds, the bar of coverage, who owns what a run leaves."""

import os
import random
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_cov.plugin import CovPlugin

from tests.known_ids import unknown

ROOT = Path(__file__).parents[1]
COVERAGE_BAR = 95
"""Percent of lines and branches of `lab.wire` and `lab.engine`."""

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("developer", deadline=None, print_blob=True)
PROFILE = "ci" if os.environ.get("CI") else "developer"
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Fix the seed; measure coverage when all tests run, since only then it says something."""
    options = config.option
    if PROFILE == "developer" and options.hypothesis_seed is None:
        options.hypothesis_seed = str(random.randrange(1 << 32))
    selects = options.keyword or options.markexpr or getattr(options, "lf", False) or options.collectonly
    if config.args == config.getini("testpaths") and not (selects or options.no_cov or options.cov_source):
        options.cov_source = ["lab.wire", "lab.engine"]
        options.cov_branch = True
        options.cov_fail_under = COVERAGE_BAR
        config.pluginmanager.register(CovPlugin(options, config.pluginmanager), "_cov")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what a failure needs to be repeated, and what is skipped."""
    seed = config.option.hypothesis_seed
    how = "fixed" if seed is None else f"{seed} (repeat by --hypothesis-seed={seed})"
    obstacle = why_not_privileged()
    return [f"seed: {how}", f"privileged tests: {'run' if obstacle is None else f'skipped, {obstacle}'}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs root where there is none; refuse markers that name what no list has."""
    obstacle = why_not_privileged()
    for item in items:
        if obstacle is not None and item.get_closest_marker("privileged"):
            item.add_marker(pytest.mark.skip(reason=obstacle))
        for kind in ("rfc6275", "case"):
            for marker in item.iter_markers(kind):
                if wrong := unknown(kind, marker.args):
                    raise pytest.UsageError(f"{item.nodeid}: {kind}: no such identifier in docs/: {wrong}")


@cache
def why_not_privileged() -> str | None:
    """Say why namespaces cannot be made here; None if they can."""
    if os.geteuid() != 0:
        return "needs root: sudo lab/bootstrap pytest"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else f"no network namespaces: {probe.stderr.strip()}"


def pytest_unconfigure() -> None:
    """Leave to the user what root made under sudo."""
    if "SUDO_UID" in os.environ:
        owner = ROOT.stat()
        for folder in (".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache"):
            for path in [ROOT / folder, *(ROOT / folder).rglob("*")]:
                if path.exists():
                    os.chown(path, owner.st_uid, owner.st_gid)
