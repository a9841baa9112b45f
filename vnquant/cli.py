"""Command line: the simulated exchange, a scan, a discussion, the orchestrator, a check of this machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import msgspec

from vnquant.errors import VnQuantError

if TYPE_CHECKING:
    from vnquant.simulation import Faults, SimulatedExchange

__all__ = ("main",)

_LIBRARIES = (
    "numpy",
    "pandas",
    "aiohttp",
    "msgspec",
    "lightgbm",
    "pyarrow",
    "plotly",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after an error that was told on stderr."""
    options = _parser().parse_args(arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            if getattr(options, "virtual", False):  # on a loop of its own
                return _run_span(options)
            return int(asyncio.run(options.command(options)))
    except VnQuantError as exc:
        print(f"vnquant: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vnquant", description="Workbench for the Vietnamese stock market.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    exchange = commands.add_parser("exchange", help="serve the simulated exchange on loopback")
    exchange.add_argument("--port", type=int, default=8765, help="0 picks a free one (default %(default)s)")
    exchange.add_argument("--seed", type=int, default=7)
    exchange.add_argument("--at", default="2025-06-02 10:00", help="market time, ICT (default %(default)s)")
    exchange.add_argument("--speed", type=float, default=1.0, help="0 stands still, 60 is a minute a second")
    exchange.add_argument("--latency", type=float, default=0.0, help="mean seconds of an answer, lognormal")
    exchange.add_argument(
        "--fault", action="append", default=[], metavar="NAME=NUMBER", help="such as http_500=0.1 or hang_s=3"
    )
    exchange.set_defaults(command=_exchange)

    for name, command, told in (
        ("scan", _scan, "print the expected returns of the market"),
        ("discuss", _discuss, "let the agents judge one symbol"),
    ):
        parsed = commands.add_parser(name, help=told)
        if name == "discuss":
            parsed.add_argument("symbol")
        parsed.add_argument("--source", default=None, help="'live', or a file of bars; simulated by default")
        parsed.add_argument("--seed", type=int, default=7)
        parsed.add_argument("--at", default=None, help="market time, ICT")
        parsed.set_defaults(command=command)

    run = commands.add_parser("run", help="let the orchestrator trade on paper, unattended")
    run.add_argument("--source", default=None, help="'live'; simulated by default")
    run.add_argument("--seed", type=int, default=7)
    run.add_argument("--database", default=None, help="the ledger: a path, or a SQLAlchemy URL")
    run.add_argument("--at", default=None, help="market time of a simulated exchange, ICT")
    run.add_argument("--speed", type=float, default=None, help="of a simulated exchange (default 1)")
    run.add_argument("--port", type=int, default=0, help="of the live page; 0 picks a free one")
    run.add_argument("--virtual", action="store_true", help="run a span of market time as fast as it goes")
    run.add_argument("--from", dest="first", default=None, help="first day or instant of the span")
    run.add_argument("--to", dest="last", default=None, help="last day, included, or instant of the span")
    run.set_defaults(command=_run)

    doctor = commands.add_parser("doctor", help="tell what is installed here and whether a scan works")
    doctor.set_defaults(command=_doctor)
    return parser


async def _exchange(options: argparse.Namespace) -> int:
    from vnquant.simulation import Latency, SimulatedExchange, serve_forever

    latency = Latency.lognormal(options.latency) if options.latency > 0 else Latency.none()
    exchange = SimulatedExchange(
        seed=options.seed,
        at=options.at,
        speed=options.speed,
        latency=latency,
        faults=_faults(options.fault),
        port=options.port,
    )

    def ready(running: SimulatedExchange) -> None:
        print(f"Simulated exchange, seed {options.seed}, {running.clock!r}")
        print(f"Listening on {running.url}; end with Ctrl-C", flush=True)

    await serve_forever(exchange, on_ready=ready)
    return 0


async def _scan(options: argparse.Namespace) -> int:
    from vnquant.workbench import Workbench

    async with Workbench.open(options.source, seed=options.seed, at=options.at) as bench:
        print(await bench.scan())
        print(f"fingerprint {bench.fingerprint}")
    return 0


async def _discuss(options: argparse.Namespace) -> int:
    from vnquant.workbench import Workbench

    async with Workbench.open(options.source, seed=options.seed, at=options.at) as bench:
        print(await bench.discuss(options.symbol))
        print(f"fingerprint {bench.fingerprint}")
    return 0


async def _run(options: argparse.Namespace) -> int:
    from vnquant.unattended import run_live

    simulated = options.source != "live"
    await run_live(
        port=options.port,
        on_running=lambda url: print(f"Running; the live page is {url}\nEnd with Ctrl-C", flush=True),
        source=options.source,
        seed=options.seed,
        database=options.database,
        at=options.at,
        speed=1.0 if simulated and options.speed is None else options.speed,
    )
    return 0


def _run_span(options: argparse.Namespace) -> int:
    """Run a span on virtual time; the last line is a JSON summary."""
    from vnquant.errors import InputError
    from vnquant.runtime import run_virtual
    from vnquant.unattended import read_span, run_virtual_span

    if options.first is None or options.last is None or options.source is not None:
        raise InputError(
            "--virtual runs the simulated market over a span: give --from and --to, no --source."
        )
    start, until = read_span(options.first, options.last)
    span = run_virtual_span(until, database=options.database, seed=options.seed)
    print(run_virtual(span, start=start).to_json(), flush=True)
    return 0


async def _doctor(options: argparse.Namespace) -> int:
    from vnquant import __version__
    from vnquant.settings import settings
    from vnquant.workbench import Workbench

    print(f"vnquant {__version__} on Python {sys.version.split()[0]}")
    for name in _LIBRARIES:
        try:
            print(f"  {name:<12} {version(name)}")
        except PackageNotFoundError:
            print(f"  {name:<12} not installed")
    print(f"cache folder {settings().cache_dir}")
    async with Workbench.open() as bench:
        board = await bench.quotes()
    print(f"simulated exchange: {len(board.quotes)} of {len(bench.symbols)} symbols quoted, all is well")
    return 0


def _faults(given: Sequence[str]) -> Faults:
    """Read NAME=NUMBER entries: the share of requests that meet a fault, or how a fault behaves."""
    from vnquant.errors import ParameterError
    from vnquant.simulation import Faults

    known = Faults.__struct_fields__
    numbers: dict[str, float] = {}
    for entry in given:
        name, _, number = entry.partition("=")
        if name not in known:
            raise ParameterError(f"No fault is called {name!r}; there are {', '.join(known)}.", name=name)
        try:
            numbers[name] = float(number)
        except ValueError:
            raise ParameterError(f"--fault {entry}: write NAME=NUMBER, as hang=0.02.", name=name) from None
    return msgspec.convert(numbers, Faults, strict=False)
