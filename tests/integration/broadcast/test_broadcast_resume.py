"""Coming back after a lost connection."""

import pytest

from vnquant.web import BroadcastConfig, Broadcaster


async def test_a_client_that_comes_back_gets_just_what_it_missed(broadcaster, connected):
    async with connected(broadcaster) as reader:
        for number in range(3):
            await broadcaster.broadcast_to_clients({"n": number}, key="same")
        await reader.read_until(3)
        place = (reader.welcome.stream, reader.seq)
    for number in range(3, 2003):
        await broadcaster.broadcast_to_clients({"n": number}, key="same")
    async with connected(broadcaster, resume=place) as again:
        assert again.welcome.resumed
        await again.read_until(2003)
        assert [delta.data["n"] for delta in again.deltas] == list(range(3, 2003))
        assert (again.snapshots, again.given_up) == ([], 0)
    assert broadcaster.statistics().resumed == 1


async def test_a_client_that_was_away_too_long_gets_a_snapshot(connected):
    config = BroadcastConfig(queue_messages=4, replay_messages=8)
    async with Broadcaster(config) as broadcaster:
        async with connected(broadcaster) as reader:
            place = (reader.welcome.stream, reader.seq)
        for number in range(9):
            await broadcaster.broadcast_to_clients({"n": number}, key="same")
        async with connected(broadcaster, resume=place) as again:
            assert not again.welcome.resumed
            assert again.latest["same"].data == {"n": 8}


@pytest.mark.parametrize(
    "place",
    [("another run", 1), (None, 99), (None, -1), (None, "x")],
    ids=["stream", "future", "past", "text"],
)
async def test_a_place_that_means_nothing_here_gets_a_snapshot(broadcaster, place, connected):
    await broadcaster.broadcast_to_clients({"n": 0})
    async with connected(broadcaster) as reader:
        stream = place[0] or reader.welcome.stream
    async with connected(broadcaster, resume=(stream, place[1])) as again:
        assert not again.welcome.resumed
        assert [message.seq for message in again.snapshots[0].messages] == [1]
