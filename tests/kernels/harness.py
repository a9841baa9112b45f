"""A kernel of a chosen ipykernel, driven as a front end drives it: cells, widget messages, signals."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import pytest
from jupyter_client import BlockingKernelClient, KernelManager

ROOT = Path(__file__).parents[2]
INSTALLED = importlib.metadata.version("ipykernel")

Message = Mapping[str, Any]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def folder_of(version: str) -> Path | None:
    """Return the folder that holds an ipykernel, None for the one that is installed, or skip the test."""
    if version == INSTALLED:
        return None
    folder = ROOT / ".kernels" / version
    if not folder.is_dir():
        pytest.skip(
            f"ipykernel {version} is not here: python -m pip install --no-deps "
            f"--target .kernels/{version} ipykernel=={version}"
        )
    return folder


@dataclass
class Cell:
    """What a cell came to."""

    message_id: str
    status: str
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    text: str = ""
    values: dict[str, Any] = field(default_factory=dict)


class Kernel:
    """One kernel process; a context manager.

    Parameters
    ----------
    version : str
        Of ipykernel: the installed one, or one under `.kernels/`.
    environment : mapping of str to str
        Added to the kernel's.
    """

    def __init__(self, version: str, environment: Mapping[str, str]) -> None:
        self.version = version
        self.messages: list[Message] = []  # what came from the kernel since the last `forget`, oldest first
        self.left_behind: list[psutil.Process] = []
        self._text = ""
        self._replies: dict[str, Message] = {}
        self._folder = folder_of(version)
        self._stack = ExitStack()
        self._environment = dict(environment)

    def __enter__(self) -> Kernel:
        # A short folder: the path of a Unix socket has 107 characters at most.
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kernel")))
        self._stderr = self._stack.enter_context((folder / "stderr").open("w+"))
        path = [] if self._folder is None else [str(self._folder)]
        path += [str(ROOT), str(Path(__file__).parent)]
        self.manager = KernelManager(
            kernel_name="python3", transport="ipc", connection_file=str(folder / "kernel.json")
        )
        self.manager.start_kernel(
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)} | self._environment,
            cwd=str(folder),
            stdout=self._stderr,
            stderr=self._stderr,
        )
        self._stack.callback(self._end)
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def client(self) -> BlockingKernelClient:
        return self._client

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    @property
    def has_subshells(self) -> bool:
        return int(self.version.split(".")[0]) >= 7

    # -- cells --------------------------------------------------------------------------------------------

    def submit(self, code: str, **expressions: str) -> str:
        """Send a cell, and do not wait for it."""
        message_id: str = self._client.execute(code, user_expressions=expressions, stop_on_error=False)
        return message_id

    def result(self, cell: str, *, timeout_s: float = 120.0) -> Cell:
        """Wait for the end of a cell: its reply, and the kernel's word that all output is out."""
        self.until(
            lambda m: parent_of(m) == cell and m["content"].get("execution_state") == "idle",
            timeout_s=timeout_s,
        )
        while cell not in self._replies:
            reply = self._client.get_shell_msg(timeout=timeout_s)
            self._replies[parent_of(reply)] = reply
        content = self._replies.pop(cell)["content"]
        if content["status"] == "aborted":
            return Cell(cell, "aborted")
        return Cell(
            cell,
            status=content["status"],
            ename=content.get("ename", ""),
            evalue=content.get("evalue", ""),
            traceback=_ANSI.sub("", "\n".join(content.get("traceback", ()))),
            text="".join(
                m["content"]["text"] for m in self.messages if parent_of(m) == cell and "text" in m["content"]
            ),
            values={
                name: ast.literal_eval(found["data"]["text/plain"])
                for name, found in content.get("user_expressions", {}).items()
                if found["status"] == "ok"
            },
        )

    def begun(self, code: str) -> str:
        """Send a cell, and wait until it has begun."""
        cell = self.submit(f"print('on', flush=True)\n{code}")
        self.until(lambda m: parent_of(m) == cell and m["msg_type"] == "stream")
        return cell

    def run(self, code: str, *, timeout_s: float = 120.0, **expressions: str) -> Cell:
        """Run a cell that must succeed."""
        cell = self.result(self.submit(code, **expressions), timeout_s=timeout_s)
        assert cell.status == "ok", f"{cell.ename}: {cell.evalue}\n{cell.traceback}"
        return cell

    def value(self, expression: str) -> Any:
        """Return the value of an expression, which must be a literal."""
        return self.run("", value=expression).values["value"]

    def value_once(self, expression: str, wanted: Any, *, timeout_s: float = 20.0) -> Any:
        """Return the value of an expression once it is the wanted one, or the last one seen."""
        end_s = time.monotonic() + timeout_s
        while (value := self.value(expression)) != wanted and time.monotonic() < end_s:
            time.sleep(0.05)
        return value

    # -- widgets ------------------------------------------------------------------------------------------

    def new_subshell(self) -> str:
        """Make a subshell, as JupyterLab does for each comm target."""
        return str(self._control("create_subshell_request", {})["subshell_id"])

    def delete_subshell(self, subshell: str) -> None:
        """Delete a subshell."""
        self._control("delete_subshell_request", {"subshell_id": subshell})

    def send(self, widget: str, data: Mapping[str, Any], *, subshell: str | None = None) -> float:
        """Send a message to a widget, and return when (monotonic seconds, the same in all processes)."""
        return self._send(widget, data, subshell)[1]

    def ask(self, widget: str, data: Mapping[str, Any], *, subshell: str | None = None) -> None:
        """Send a message to a widget, and wait for the word on which a front end sends the next."""
        sent, _ = self._send(widget, data, subshell)
        self.until(lambda m: parent_of(m) == sent and m["content"].get("execution_state") == "idle")

    def click(self, widget: str, *, subshell: str | None = None) -> float:
        """Click a button."""
        return self.send(widget, {"method": "custom", "content": {"event": "click"}}, subshell=subshell)

    def say(self, presence: str, kind: str, view: str = "a", *, subshell: str | None = None) -> float:
        """Say "hello", "here" or "bye" for one view, as a front end does when an output comes or goes."""
        data = {"method": "custom", "content": {"kind": kind, "view": view}}
        return self.send(presence, data, subshell=subshell)

    def until(self, wanted: Callable[[Message], bool], *, timeout_s: float = 30.0) -> Message:
        """Return the first message that is wanted, of those that have come and come now."""
        end_s = time.monotonic() + timeout_s
        for message in self._messages(end_s):
            if wanted(message):
                return message
        raise AssertionError("unreachable")

    def forget(self) -> None:
        """Forget the messages that have come so far."""
        with suppress(Empty):
            while True:
                self._note(self._client.get_iopub_msg(timeout=0))
        self.messages.clear()

    # -- life ---------------------------------------------------------------------------------------------

    def interrupt(self) -> float:
        """Interrupt what runs, and return when."""
        sent_s = time.monotonic()
        self.manager.interrupt_kernel()
        return sent_s

    def restart(self, *, kill: bool = False) -> None:
        """Restart, as the front end's button does: the kernel is asked to end, and a new one begins.

        With `kill` it is not asked. What had been its processes and are alive stand in `left_behind`.
        """
        process = psutil.Process(self.pid)
        before = [process, *process.children(recursive=True)]
        self.forget()
        self._client.stop_channels()
        self.manager.restart_kernel(now=kill)
        self._connect()
        _, self.left_behind = psutil.wait_procs(before, timeout=10.0)

    def said(self) -> str:
        """Return all text that the kernel has ever written, to a cell or to its own stderr."""
        return self._text + Path(self._stderr.name).read_text()

    def _connect(self) -> None:
        self._client = self.manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120.0)
        self.messages.clear()

    def _end(self) -> None:
        self._client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def _control(self, kind: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = self._client.session.msg(kind, dict(content))
        self._client.control_channel.send(asked)
        while True:
            reply = self._client.get_control_msg(timeout=30.0)
            if parent_of(reply) == asked["header"]["msg_id"]:
                answer: Mapping[str, Any] = reply["content"]
                assert answer["status"] == "ok", answer
                return answer

    def _send(self, widget: str, data: Mapping[str, Any], subshell: str | None) -> tuple[str, float]:
        message = self._client.session.msg("comm_msg", {"comm_id": widget, "data": dict(data)})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        sent_s = time.monotonic()
        self._client.shell_channel.send(message)
        return message["header"]["msg_id"], sent_s

    def _note(self, message: Message) -> None:
        self.messages.append(message)
        if message["msg_type"] == "stream":
            self._text += message["content"]["text"]

    def _messages(self, end_s: float) -> Iterator[Message]:
        yield from list(self.messages)
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                message = self._client.get_iopub_msg(timeout=left_s)
            except Empty:
                break
            self._note(message)
            yield message
        told = [m for m in self.messages if m["msg_type"] != "comm_msg"]
        last = [f"{m['msg_type']} {str(m['content'])[:200]}" for m in told[-5:]]
        raise TimeoutError("The kernel did not say it in time. It said last:\n" + "\n".join(last))


def parent_of(message: Message) -> str:
    return str(message["parent_header"].get("msg_id", ""))
