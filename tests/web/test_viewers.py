"""Viewers: each is told everything in its order, or gets a snapshot; nobody is waited for."""

import asyncio
from typing import Any

from lab.web.viewers import MOST_VIEWERS, MOST_WAITING, Snapshots, Viewer


def part(number: int) -> dict[str, Any]:
    return {"kind": "events", "events": [number]}


def snapshot(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "snapshot", "parts": [*parts]}


def told(viewer: Viewer, snapshots: Snapshots) -> list[dict[str, Any]]:
    return asyncio.run(asyncio.wait_for(viewer.next(snapshots), 1))


def watching(*viewers: Viewer) -> Snapshots:
    snapshots = Snapshots()
    snapshots.publish([], [part(0)])
    snapshots.viewers |= {*viewers}
    return snapshots


def test_first_a_snapshot_then_what_is_new() -> None:
    viewer = Viewer()
    snapshots = watching(viewer)
    snapshots.publish([part(1)], [part(0), part(1)])
    assert told(viewer, snapshots) == [snapshot(part(0), part(1))]
    snapshots.publish([part(2)], [])
    snapshots.publish([part(3), part(4)], [])
    assert told(viewer, snapshots) == [part(2), part(3), part(4)]


def test_who_is_behind_gets_a_snapshot_and_goes_on() -> None:
    slow, quick = Viewer(), Viewer()
    snapshots = watching(slow, quick)
    for viewer in (slow, quick):
        told(viewer, snapshots)
    for number in range(MOST_WAITING + 5):
        snapshots.publish([part(number)], [part(number)])
        assert told(quick, snapshots) == [part(number)]
    assert told(slow, snapshots) == [snapshot(part(MOST_WAITING + 4))]
    snapshots.publish([part(7)], [])
    assert told(slow, snapshots) == [part(7)]


def test_answers_come_even_then() -> None:
    viewer = Viewer()
    snapshots = watching(viewer)
    viewer.answer({"kind": "answer", "id": 1})
    assert told(viewer, snapshots) == [snapshot(part(0)), {"kind": "answer", "id": 1}]


def test_nothing_new_is_waited_for() -> None:
    viewer = Viewer()
    snapshots = watching(viewer)
    told(viewer, snapshots)

    async def first_new() -> list[dict[str, Any]]:
        waiting = asyncio.create_task(viewer.next(snapshots))
        await asyncio.sleep(0)
        assert not waiting.done()
        snapshots.publish([part(5)], [])
        return await asyncio.wait_for(waiting, 1)

    assert asyncio.run(first_new()) == [part(5)]


def test_there_is_an_end_of_room() -> None:
    assert not watching().full
    assert watching(*(Viewer() for _ in range(MOST_VIEWERS))).full
