"""An index finds all values of a key, and keeps nothing of a key without values."""

from lab.engine.index import Index


def test_values_share_a_key_in_their_order() -> None:
    index: Index[str, int] = Index()
    for value in (2, 1, 2):
        index.add("key", value)
    assert index.find("key") == (2, 1)
    index.remove("key", 2)
    assert index.find("key") == (1,)
    assert index.find("other") == ()


def test_a_key_without_values_takes_no_room() -> None:
    index: Index[str, int] = Index()
    index.add("key", 1)
    index.remove("key", 1)
    index.remove("key", 1)
    assert len(index) == 0
