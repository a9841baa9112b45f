"""Setting objects aside from garbage collection, and putting everything back."""

import gc
import weakref

import pytest

from vnquant.runtime import rare_collections, short_collections


class Knot:
    """An object that refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _thawed():
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_full_collections_look_only_at_what_came_since():
    everything = len(gc.get_objects())
    with short_collections():
        assert gc.get_freeze_count() >= everything - 100
        assert len(gc.get_objects()) < everything / 10
    assert gc.get_freeze_count() == 0
    assert len(gc.get_objects()) >= everything - 100


def test_cycles_from_before_are_freed_afterwards_and_those_made_meanwhile_as_ever():
    gc.collect()
    before = weakref.ref(Knot())
    with short_collections():
        meanwhile = weakref.ref(Knot())
        gc.collect()
        assert meanwhile() is None
        assert before() is not None
    gc.collect()
    assert before() is None


def test_the_last_block_to_end_puts_back_what_the_first_set_aside():
    with short_collections():
        with short_collections():
            pass
        assert gc.get_freeze_count()
    assert gc.get_freeze_count() == 0


def test_what_somebody_else_has_frozen_stays_frozen():
    gc.freeze()
    with short_collections():
        pass
    assert gc.get_freeze_count()


def test_an_error_in_the_block_puts_everything_back():
    with pytest.raises(ValueError, match="anything"), short_collections():
        raise ValueError("anything")
    assert gc.get_freeze_count() == 0


def test_collections_are_rare_until_the_last_block_that_wants_it_ends():
    usual = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > usual[0]
        with pytest.raises(ValueError, match="anything"), rare_collections():
            raise ValueError("anything")
        assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold() == usual
