"""What clients get."""

import datetime

import msgspec
import pytest

from vnquant.runtime import MarketClock, install_clock
from vnquant.web import Resync


class Price(msgspec.Struct):
    symbol: str
    close_vnd: int


async def test_every_client_gets_every_message_in_order(broadcaster, connected):
    async with connected(broadcaster) as first, connected(broadcaster) as second:
        for number in range(50):
            assert await broadcaster.broadcast_to_clients(Price("FPT", number)) == number + 1
        for reader in (first, second):
            await reader.read_until(50)
            assert [delta.data["close_vnd"] for delta in reader.deltas] == list(range(50))
            assert {delta.topic for delta in reader.deltas} == {"Price"}
            assert reader.given_up == 0


@pytest.mark.parametrize("size", [0, 10, 40, 100, 1000, 65_400, 65_500, 300_000])
async def test_a_message_of_any_size_arrives(broadcaster, size, connected):
    async with connected(broadcaster) as reader:
        await broadcaster.broadcast_to_clients("x" * size)
        await broadcaster.broadcast_to_clients("next")
        await reader.read_until(2)
        assert [delta.data for delta in reader.deltas] == ["x" * size, "next"]


async def test_messages_carry_market_time_topic_and_key(broadcaster, connected):
    at = datetime.datetime(2025, 6, 2, 10, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))
    install_clock(MarketClock.frozen(at))
    async with connected(broadcaster) as reader:
        await broadcaster.broadcast_to_clients({"vnd": 25_000}, topic="price", key="FPT")
        await reader.read_until(1)
    (delta,) = reader.deltas
    assert (delta.at, delta.topic, delta.key, delta.data) == (at, "price", "FPT", {"vnd": 25_000})


async def test_a_newcomer_gets_the_latest_of_each_key_and_the_last_events(broadcaster, connected):
    for number in range(3):
        for symbol in ("FPT", "VCB"):
            await broadcaster.broadcast_to_clients(Price(symbol, number), key=symbol)
    await broadcaster.broadcast_to_clients({"alert": "hot"})
    async with connected(broadcaster) as reader:
        assert not reader.welcome.resumed
        assert [message.seq for part in reader.snapshots for message in part.messages] == [5, 6, 7]
        await broadcaster.broadcast_to_clients(Price("FPT", 9), key="FPT")
        await reader.read_until(8)
    assert {key: delta.data["close_vnd"] for key, delta in reader.latest.items()} == {"FPT": 9, "VCB": 2}


async def test_a_large_snapshot_comes_in_parts(broadcaster, connected):
    for number in range(100):
        await broadcaster.broadcast_to_clients({"text": "x" * 3000}, key=str(number))
    async with connected(broadcaster) as reader:
        assert len(reader.snapshots) > 2
        assert sorted(reader.latest, key=int) == [str(number) for number in range(100)]


async def test_a_client_that_asks_gets_a_new_snapshot(broadcaster, connected):
    await broadcaster.broadcast_to_clients({"n": 1}, key="a")
    async with connected(broadcaster) as reader:
        await reader.ws.send_str(msgspec.json.encode(Resync()).decode())
        await reader.read()
        assert len(reader.snapshots) == 2
        await broadcaster.broadcast_to_clients({"n": 2}, key="a")
        await reader.read_until(2)
