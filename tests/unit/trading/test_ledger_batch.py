"""Collecting a batch: keys, canonical JSON, journal ids."""

from collections.abc import Hashable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnquant.errors import InputError
from vnquant.runtime import ICT
from vnquant.trading import Batch, JournalEntry
from vnquant.trading.batch import read_key, write_key
from vnquant.trading.books import Account, Transaction
from vnquant.trading.journal import canonical_json, market_time_text
from vnquant.trading.rows import entry_rows

AT = datetime(2025, 6, 2, 9, 30, tzinfo=ICT)

atoms = st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none()
keys = st.recursive(atoms, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=8)


@given(keys)
def test_a_key_comes_back_as_it_was(key: Hashable) -> None:
    assert read_key(write_key(key)) == key


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text(max_size=5)))
def test_equal_values_are_equal_text_in_whatever_order(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
)
def test_instants_as_text_sort_by_time(one: datetime, other: datetime) -> None:
    first, second = one.replace(tzinfo=ICT), other.replace(tzinfo=ICT)
    assert (market_time_text(first) < market_time_text(second)) == (first < second)
    assert datetime.fromisoformat(market_time_text(first)) == first


@given(
    st.datetimes(
        datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones() | st.just(UTC) | st.just(ICT)
    ),
    st.booleans(),
)
def test_instants_have_the_text_of_the_standard_library(at: datetime, whole: bool) -> None:
    instant = at.replace(microsecond=0) if whole else at
    assert market_time_text(instant) == instant.astimezone(ICT).isoformat(timespec="microseconds")


def test_other_kinds_of_instants_have_the_same_text() -> None:
    for text in ("2025-06-02 09:30", "2025-06-02 09:30:00.000120"):
        stamp = pd.Timestamp(text, tz="Asia/Ho_Chi_Minh")
        assert market_time_text(stamp) == market_time_text(stamp.to_pydatetime())


def test_an_instant_without_time_zone_is_refused() -> None:
    with pytest.raises(InputError, match="no time zone"):
        market_time_text(datetime(2025, 6, 2))


def test_equal_decisions_have_one_id_and_others_another() -> None:
    def mark(**changes: object) -> str:
        row = JournalEntry(**{"at": AT, "kind": "k", "outcome": "o", "seen": {"a": 1}, **changes}).row()  # type: ignore[arg-type]
        return str(row["entry_id"])

    assert mark() == mark(seen={"a": np.int64(1)})
    assert len({mark(), mark(seen={"a": 2}), mark(kind="l"), mark(at=AT + timedelta(seconds=1))}) == 4
    assert mark(entry_id="mine") == "mine"


def test_clearing_a_scope_forgets_what_the_batch_put_there_before() -> None:
    batch = Batch()
    assert not batch
    batch.keep("peak", "FPT", 1)
    batch.keep("engine", "n", 1)
    batch.clear("peak")
    batch.keep("peak", "VCB", 2)
    assert batch.states == {("engine", "n"): "1", ("peak", "VCB"): "2"}
    assert batch.cleared == {"peak"}
    assert batch


def test_of_known_keys_only_the_changes_are_written() -> None:
    before: dict[Hashable, datetime] = {("FPT", "BUY"): AT, ("VCB", "SELL"): AT, ("HPG", "BUY"): AT}
    now: dict[Hashable, datetime] = {
        ("FPT", "BUY"): AT,
        ("HPG", "BUY"): AT + timedelta(hours=2),
        ("SSI", "BUY"): AT,
    }
    batch = Batch()
    batch.recent(now, before=before)
    assert batch.states == {
        ("recent", '["VCB","SELL"]'): None,
        ("recent", '["HPG","BUY"]'): '"2025-06-02T11:30:00+07:00"',
        ("recent", '["SSI","BUY"]'): '"2025-06-02T09:30:00+07:00"',
    }
    assert not batch.cleared
    whole = Batch()
    whole.recent(now)
    assert len(whole.states) == len(now)
    assert whole.cleared == {"recent"}


def test_a_transaction_has_a_row_for_each_account_that_moves() -> None:
    entries = {Account.CASH: -100, Account.FEES: 0, Account.SHARES: 100}
    rows = entry_rows(Transaction(source_id="f", at=AT, entries=entries, symbol="FPT"))
    assert [(row["account"], row["amount_vnd"]) for row in rows] == [("CASH", -100), ("SHARES", 100)]
