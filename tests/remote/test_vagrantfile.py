"""The Vagrantfile is one by Vagrant's own judgement, for every provider it names."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import code, document
from tests.remote.checkouts import ROOT

FILE = ROOT / "Vagrantfile"
TEXT = FILE.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="needs vagrant: apt-get install vagrant")
@pytest.mark.parametrize(
    ("environment", "fault"),
    [({}, None), ({"MIP6LAB_CPUS": "4", "MIP6LAB_BOX": "some/box"}, None), ({"MIP6LAB_MEMORY": "much"}, "much")],
)
def test_vagrant_takes_it(environment: dict[str, str], fault: str | None, tmp_path: Path) -> None:
    shutil.copy(FILE, tmp_path)
    own = {"HOME": str(tmp_path), "VAGRANT_HOME": str(tmp_path / "vagrant"), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **own, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if fault is None:
        assert (done.returncode, "validated successfully" in done.stdout) == (0, True), done.stdout + done.stderr
    else:
        assert done.returncode != 0
        assert fault in done.stdout + done.stderr


def test_the_document_tells_its_variables_and_boxes() -> None:
    told = document("docs/remote.md")
    variables = {code(row[0])[0] for row in told.table("variable", "default", "what it sets").rows}
    assert variables == {*re.findall(r'ENV\.fetch\("(\w+)"', TEXT)}
    cells = "".join(cell for row in told.table("provider", "x86-64", "arm64").rows for cell in row)
    assert {*code(cells)} == {*re.findall(r'"([a-z-]+/[\w.-]+)"', TEXT)} - {"/home/vagrant/mip6lab"}
