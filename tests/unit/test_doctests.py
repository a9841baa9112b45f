"""Every example in a docstring runs as in a notebook, top-level `await` included, and gives what it shows."""

import ast
import asyncio
import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sklearn.linear_model import Ridge

import vnquant
from vnquant import Workbench
from vnquant.runtime import VirtualTimeLoop

# Alembic's environment runs when it is imported, which is alembic's to do; __main__ is the command line.
NOT_TO_IMPORT = ("vnquant.trading.migrations.", "vnquant.__main__")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def names() -> list[str]:
    walked = pkgutil.walk_packages(vnquant.__path__, prefix="vnquant.")
    return ["vnquant", *(m.name for m in walked if not m.name.startswith(NOT_TO_IMPORT))]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


class Notebook:
    """Runs examples one after the other, as cells, on a loop of virtual time."""

    def __init__(self, folder: Path) -> None:
        self.loop = VirtualTimeLoop()
        self.folder = folder
        self._bench: Workbench | None = None

    def bench(self) -> Workbench:
        """Return a workbench on the simulated exchange, whose model trains quickly."""
        if self._bench is None:

            async def opened() -> Workbench:
                return await Workbench.open(
                    at="2025-06-05 10:00",
                    cache_dir=self.folder,
                    predictor=Ridge(alpha=1000.0),
                    progress=False,
                )

            self._bench = self.loop.run_until_complete(opened())
        return self._bench

    def run(self, test: doctest.DocTest) -> list[str]:
        """Return what went wrong."""
        cells: dict[str, Any] = dict(test.globs)
        if any("bench." in example.source for example in test.examples):
            cells["bench"] = self.bench()
        wrong = []
        for example in test.examples:
            if example.options.get(doctest.SKIP):
                continue
            got = self._output(example.source, cells, raises=example.exc_msg is not None)
            wanted = example.exc_msg if example.exc_msg is not None else example.want
            if not doctest.OutputChecker().check_output(wanted, got, OPTIONS):
                wrong.append(f"{test.name}, line {example.lineno}:\n{example.source}wanted {wanted}got {got}")
        return wrong

    def close(self) -> None:
        if self._bench is not None:
            self.loop.run_until_complete(self._bench.close())
        self.loop.close()

    def _output(self, source: str, cells: dict[str, Any], *, raises: bool) -> str:
        code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        shown, hook = io.StringIO(), sys.displayhook
        sys.displayhook = sys.__displayhook__
        try:
            with contextlib.redirect_stdout(shown):
                result = eval(code, cells)
                if inspect.iscoroutine(result):
                    self.loop.run_until_complete(result)
        except Exception as exc:
            if not raises:
                return "".join(traceback.format_exception(exc))
            return "".join(traceback.format_exception_only(exc))
        finally:
            sys.displayhook = hook
        return shown.getvalue()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    opened = Notebook(tmp_path_factory.mktemp("examples"))
    yield opened
    opened.close()


@pytest.mark.parametrize("name", names())
def test_the_examples_give_what_they_show(name: str, notebook: Notebook) -> None:
    wrong = [what for test in examples_of(importlib.import_module(name)) for what in notebook.run(test)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "shown"), [("1 + 1\n", "2\n"), ("await asyncio.sleep(1, 'waited')\n", "'waited'\n")]
)
def test_a_cell_shows_its_value(source: str, shown: str, notebook: Notebook) -> None:
    for want, problems in ((shown, 0), ("something else\n", 1)):
        test = doctest.DocTest([doctest.Example(source, want)], {"asyncio": asyncio}, "a cell", None, 0, None)
        assert len(notebook.run(test)) == problems


def test_the_first_things_that_a_user_meets_have_examples() -> None:
    from vnquant import agents, evaluation, market, news, runtime, simulation, trading

    for thing in (
        Workbench,
        Workbench.scan,
        Workbench.discuss,
        Workbench.bars,
        Workbench.quotes,
        Workbench.news,
        Workbench.chart,
        agents.Agent,
        agents.parameter,
        evaluation.factor_report,
        evaluation.deflated_sharpe_ratio,
        market.BarPanel,
        market.Universe,
        market.TradingCalendar,
        market.tick_size,
        market.price_limits,
        market.settlement_date,
        news.score_sentiment,
        news.link_symbols,
        runtime.EventBus,
        runtime.run_virtual,
        simulation.SimulatedMarket,
        trading.Order,
        trading.Portfolio,
    ):
        examples = doctest.DocTestFinder(recurse=False).find(thing, thing.__name__)
        assert any(test.examples for test in examples), f"{thing.__qualname__} shows no example"
