"""A JupyterLab server on loopback with folders of its own, and a page that watches what the browser does."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--headless=new",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
KERNEL_IS_IDLE = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle'
        && kernel.info !== undefined
}"""
RUN_ALL = """async () => {
    await jupyterapp.shell.currentWidget.context.sessionContext.ready;
    await jupyterapp.commands.execute('notebook:run-all-cells')
}"""
# JupyterLab says so when a notebook is closed while its debugger still asks the kernel how it stands.
CLOSED_WHILE_ASKED = "Could not restore the debugger state: Canceled future"
# anywidget gives a model two seconds to load its code, on a page that shares two cores with other tests too.
PATIENT = "{ const after = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = t => after(10 * t) }"
STOP_KERNELS = "async () => { await jupyterapp.serviceManager.sessions.shutdownAll() }"


@dataclass(frozen=True)
class Site:
    """A JupyterLab server: its address, and the folder that it serves."""

    base: str
    root: Path

    def folder(self, name: str) -> Path:
        """Return a new folder, in which the kernel of a notebook there works."""
        folder = self.root / name
        folder.mkdir()
        return folder

    def path(self, notebook: Path) -> str:
        """Return by which path JupyterLab knows a notebook."""
        return notebook.relative_to(self.root).as_posix()


@dataclass
class Watch:
    """What the page did that it should not have."""

    base: str
    errors: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)

    def on(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append((error.stack or str(error))[:1500]))
        page.on("request", lambda request: self._note(request.url))

    def on_console(self, page: Page) -> None:
        """Count what the page calls an error in its console, too."""
        page.on("console", self._read)

    def _read(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(CLOSED_WHILE_ASKED):
            self.errors.append(message.text[:300])

    def _note(self, url: str) -> None:
        own = (self.base, self.base.replace("http", "ws", 1), "data:", "blob:")
        if not url.startswith(own):
            self.outside.add(url[:120])


@contextlib.contextmanager
def lab_server(root: Path, **environment: str) -> Iterator[str]:
    """Serve `root` with JupyterLab, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="lab-"))
    _settings(home)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
        "--ServerApp.password=", f"--ServerApp.root_dir={root}", "--LabApp.news_url=",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--KernelManager.transport=ipc",
    ]  # fmt: skip
    folders = {
        "JUPYTER_CONFIG_DIR": "cfg",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_RUNTIME_DIR": "run",
    }
    env = os.environ | {name: str(home / folder) for name, folder in folders.items()} | environment
    with (home / "lab.log").open("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )
        try:
            _wait_until_up(process, port, home / "lab.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # its own group: the server and its kernels
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
    shutil.rmtree(home, ignore_errors=True)


def open_notebook(browser: Browser, base: str, name: str) -> tuple[Page, Watch]:
    """Open a notebook in the browser, and wait until its kernel is idle."""
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    page.set_default_timeout(30_000)
    page.add_init_script(PATIENT)
    watch = Watch(base)
    watch.on(page)
    page.goto(f"{base}/lab/tree/{name}?reset", wait_until="domcontentloaded")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    # The toolbar says "idle" before there is a kernel; Run All would then ask for one.
    page.wait_for_function(KERNEL_IS_IDLE, timeout=90_000)
    return page, watch


@contextlib.contextmanager
def opened_notebook(browser: Browser, site: Site, notebook: Path) -> Iterator[tuple[Page, Watch]]:
    """Open a notebook that a server has, and end its kernel afterwards."""
    page, watch = open_notebook(browser, site.base, site.path(notebook))
    try:
        yield page, watch
    finally:
        page.evaluate(STOP_KERNELS)
        page.close()


def run_all_cells(page: Page, cells: int, *, timeout_s: float = 180) -> None:
    """Run the notebook to its last code cell; `cells` is counted from the file, since the DOM is lazy."""
    page.evaluate(RUN_ALL)
    last = page.locator(".jp-Notebook .jp-InputArea-prompt", has_text=f"[{cells}]:")
    expect(last).to_be_attached(timeout=timeout_s * 1000)
    idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
    page.wait_for_selector(idle, timeout=60_000)


def close_notebook(page: Page) -> None:
    """Save the notebook and close its tab; the kernel goes on."""
    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save') }")
    page.evaluate("async () => { await jupyterapp.commands.execute('application:close') }")


def reopen_notebook(page: Page, name: str) -> None:
    """Open a notebook whose kernel runs, and wait until it is connected."""
    page.evaluate("path => { jupyterapp.commands.execute('docmanager:open', { path }) }", name)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)


def write_notebook(notebook: Path, sources: Sequence[str]) -> None:
    """Write a notebook with these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), notebook)


def picture(name: str) -> Path:
    """Return where a picture of a test goes."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS / f"{name}.png"


def copy_without_outputs(notebook: Path, folder: Path) -> int:
    """Copy a notebook bare of outputs, so that what a page shows is of this run; return its code cells."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    count = 0
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            count += bool("".join(cell["source"]).strip())
    (folder / notebook.name).write_text(json.dumps(document), encoding="utf-8")
    return count


def _settings(home: Path) -> None:
    """Keep all cells in the DOM, and ask nobody for news or updates."""
    for plugin, file, content in (
        ("notebook-extension", "tracker", {"windowingMode": "none"}),
        ("apputils-extension", "notification", {"fetchNews": "false", "checkForUpdates": False}),
    ):
        folder = home / "settings" / "@jupyterlab" / plugin
        folder.mkdir(parents=True)
        (folder / f"{file}.jupyterlab-settings").write_text(json.dumps(content))


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=1):
                return
        except OSError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(log.read_text()[-2000:]) from None
    raise TimeoutError("JupyterLab did not answer within a minute")
