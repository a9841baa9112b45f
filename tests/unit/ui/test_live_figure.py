"""The figure of a live view: a page that is opened later finds it as it is then."""

from collections.abc import Iterator

import pytest

from vnquant.ui.live_figure import LiveFigure


@pytest.fixture
def figure() -> Iterator[LiveFigure]:
    made = LiveFigure(data=[{"type": "scatter", "name": "score", "x": [], "y": []}])
    yield made
    made.close()


def change(figure: LiveFigure) -> None:
    with figure.batch_update():
        figure.data[0].update(x=["a", "b"], y=[1.0, 2.0])
        figure.layout.title.text = "FPT"


def test_a_front_end_that_asks_gets_what_is_shown_now(figure):
    change(figure)
    for state in (figure.get_state(), figure.get_state(["_widget_data", "_widget_layout"])):
        (trace,) = state["_widget_data"]
        assert (list(trace["x"]), list(trace["y"])) == (["a", "b"], [1.0, 2.0])
        assert trace["uid"] == figure.data[0].uid  # by which the front end tells its traces
        assert state["_widget_layout"]["title"]["text"] == "FPT"


def test_an_update_does_not_send_the_whole_figure_a_second_time(figure):
    sent = []
    figure._send = lambda message, buffers=None: sent.extend(message.get("state", ()))
    change(figure)
    figure.get_state()
    assert set(sent) & {"_py2js_restyle", "_py2js_update"}
    assert not set(sent) & {"_widget_data", "_widget_layout"}


def test_it_does_not_count_its_views(figure):
    assert figure._view_count is None
    assert figure.get_state("_view_count") == {"_view_count": None}


def test_what_a_page_fills_in_takes_nothing_away(figure):
    change(figure)
    uid, edit = figure.data[0].uid, figure._last_trace_edit_id
    filled = {"trace_deltas": [{"uid": uid, "x": ["a", "b"]}], "trace_edit_id": edit}
    figure.set_state({"_js2py_traceDeltas": filled})
    figure.set_state(
        {"_js2py_layoutDelta": {"layout_delta": {"title": {"text": "FPT"}}, "layout_edit_id": 2}}
    )
    state = figure.get_state()
    assert list(state["_widget_data"][0]["x"]) == ["a", "b"]
    assert state["_widget_layout"]["title"]["text"] == "FPT"
    assert state["_js2py_traceDeltas"] is state["_js2py_layoutDelta"] is None


def test_a_zoom_is_taken_in(figure):
    zoom = {"relayout_data": {"xaxis.range": [0.0, 1.0]}, "source_view_id": "a"}
    figure.set_state({"_js2py_relayout": zoom})
    assert list(figure.layout.xaxis.range) == [0.0, 1.0]
