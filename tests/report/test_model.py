"""`result.json`: written, read back, and refused by name of file and field if it is something else."""

import json
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.report.model import Result, load
from tests.report.results import hostile_result, result


@pytest.mark.parametrize("written", [result(), hostile_result()], ids=["plain", "hostile"])
def test_what_is_written_is_read_back(tmp_path: Path, written: Result) -> None:
    (tmp_path / "result.json").write_text(written.to_json(), encoding="utf-8")
    assert load(tmp_path) == written


def test_failed_checks_are_picked() -> None:
    assert result().failed() == []
    assert len(hostile_result().failed()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema: it is of version 2; this program reads 1"),
        ({"seed": "x"}, "seed: Input should be a valid integer"),
        ({"handovers": [{}]}, r"handovers\.0\.mobile_node: Field required"),
        ({"checks": [{"verdict": "maybe"}]}, r"checks\.0\."),
        ({"settings": []}, "settings: Input should be an object"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(json.loads(result().to_json()) | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{path}: {said}"):
        load(tmp_path)


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"\xff\xfe", b"null"], ids=repr)
def test_another_file_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(octets)
    with pytest.raises(ConfigError, match=f"^{path}: "):
        load(tmp_path)


def test_a_folder_without_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=f"cannot be read: No such file or directory; is {tmp_path} the folder of a run"
    ):
        load(tmp_path)
