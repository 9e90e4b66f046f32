"""The page on benchmarks names all of them, and every field of their figures."""

from lab.bench.measure import Row, Spread, Unit
from lab.cli.bench import known
from tests.docs.markdown import code, document

DOCUMENT = document("docs/benchmarks.md")


def test_every_benchmark_has_its_row() -> None:
    rows = DOCUMENT.table("benchmark", "question", "baseline").rows
    assert [code(name)[0] for name, *_ in rows] == known()


def test_every_field_has_its_row() -> None:
    rows = DOCUMENT.table("field", "type", "meaning").rows
    assert [code(field)[0] for field, *_ in rows] == [*Row.__annotations__]
    (units,) = (meaning for field, _, meaning in rows if code(field) == ["unit"])
    assert code(units) == [*Unit]


def test_every_part_of_a_spread_is_told() -> None:
    (sentence,) = (line for line in DOCUMENT.prose.split("\n\n") if line.startswith("A spread has"))
    assert code(sentence)[:-1] == [*Spread.__annotations__]
