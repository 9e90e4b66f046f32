"""What all tests share: which are skipped and why, seeds, the bar of coverage, who owns what a run leaves."""

import ctypes
import os
import random
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
COVERAGE_BAR = 95
"""Percent of branches of `lab.wire` and `lab.engine`; asked for only when all tests run."""

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("developer", deadline=None, print_blob=True)
PROFILE = "ci" if os.environ.get("CI") else "developer"
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Fix the seed; drop the bar of coverage for a part of the tests."""
    if PROFILE == "developer" and config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(random.randrange(1 << 32))
    runs_everything = config.args == config.getini("testpaths") and not (
        config.option.keyword or config.option.markexpr or config.option.lf or config.option.collectonly
    )
    coverage = config.pluginmanager.get_plugin("_cov")
    if coverage is not None:
        coverage.options.cov_fail_under = COVERAGE_BAR if runs_everything else 0


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what a failure needs to be repeated, and what is skipped."""
    seed = config.getoption("hypothesis_seed", None)
    how = "fixed" if seed is None else f"{seed} (repeat by --hypothesis-seed={seed})"
    obstacle = why_not_privileged()
    return [f"seed: {how}", f"privileged tests: {'run' if obstacle is None else f'skipped, {obstacle}'}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs root where there is none."""
    obstacle = why_not_privileged()
    if obstacle is not None:
        for item in items:
            if item.get_closest_marker("privileged"):
                item.add_marker(pytest.mark.skip(reason=obstacle))


@cache
def why_not_privileged() -> str | None:
    """Say why namespaces cannot be made here; None if they can."""
    if os.geteuid() != 0:
        return "needs root: sudo lab/bootstrap pytest"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else f"no network namespaces: {probe.stderr.strip()}"


def pytest_unconfigure() -> None:
    """Leave caches that root made under sudo to the user."""
    if "SUDO_UID" in os.environ:
        for folder in (".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache"):
            for path in [ROOT / folder, *(ROOT / folder).rglob("*")]:
                ctypes.CDLL(None).lchown
