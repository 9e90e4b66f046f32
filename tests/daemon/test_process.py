"""A node as a whole process: without protections it serves in a laboratory alone (RFC 6275 §15)."""

from pathlib import Path

import pytest

from lab.cli.main import FAILED, main
from lab.daemon.config import load, parse
from lab.daemon.process import run
from lab.errors import ConfigError
from lab.safeguards import Safeguard

CONFIG = """
name = "cn"
role = "correspondent"
without = ["sequence-check", "authenticator"]

[correspondent]
"""
FAULT = "cn: without: authenticator, sequence-check: only `mip6lab run` switches protections off"


def test_the_key_is_read() -> None:
    assert parse(CONFIG, "cn.toml").without == {Safeguard.SEQUENCE_CHECK, Safeguard.AUTHENTICATOR}
    with pytest.raises(ConfigError, match=r"cn\.toml: without.*sequence-chek"):
        parse(CONFIG.replace("sequence-check", "sequence-chek"), "cn.toml")


def test_outside_of_a_laboratory_no_node_serves_without_protections(tmp_path: Path) -> None:
    file = tmp_path / "cn.toml"
    file.write_text(CONFIG, encoding="utf-8")
    with pytest.raises(ConfigError, match=FAULT):
        run(load(file))


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_nor_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    file = tmp_path / "cn.toml"
    file.write_text(CONFIG, encoding="utf-8")
    assert main(["node", "--config", str(file), *options]) == FAILED
    assert FAULT in capsys.readouterr().err
