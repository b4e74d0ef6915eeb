"""Runs one notebook through a real Jupyter client and saves it with its outputs.

    python kernels/run_notebook.py LABEL INPUT OUTPUT

Progress goes to standard error. Exit status: 0 when every cell ran, 1 when a cell failed, 130 when interrupted. The output
is saved after every cell, written aside and renamed, so that it is whole whatever happens.
"""

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

KERNEL = "tslab"
# How long an interrupted stage may take to write its checkpoint.
PATIENCE_S = 60
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
# No string has a line break in JSON, so that what spans lines here stands outside of strings.
NUMBERS = re.compile(r"\[\n\s+(?:-?[\d.eE+-]+|null)(?:,\n\s+(?:-?[\d.eE+-]+|null))*\n\s+\]")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def one_line(text: str, limit: int = 70) -> str:
    """The last line of a text that says something."""
    lines = [line.strip() for line in re.split(r"[\r\n]", ANSI.sub("", text)) if line.strip()]
    last = lines[-1] if lines else ""
    return last if len(last) <= limit else last[: limit - 1] + "…"


def title_of(cell, heading: str) -> str:
    """A cell's first comment, or the heading above it."""
    comment = re.match(r"\s*(?://|/\*\*?)\s*(.+?)\s*(?:\*/)?\s*$", cell.source.split("\n")[0])
    return one_line(comment.group(1) if comment else heading)


class Progress:
    """One line a cell; on a terminal it counts the seconds and shows what the cell said last."""

    def __init__(self, label: str):
        self.label = label
        self.live = sys.stderr.isatty()
        self.begin = time.monotonic()
        self.text = self.said = ""

    def cell(self, number: int, of: int, title: str) -> None:
        self.begin = time.monotonic()
        self.text = f"{self.label} · cell {number}/{of}"
        self.title, self.said = title, ""

    def draw(self) -> None:
        if self.live and self.text:
            seconds = clock(time.monotonic() - self.begin)
            line = f"{self.text} · {seconds}  {self.said or self.title}"
            # A terminal that does not know its width says 0.
            width = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
            sys.stderr.write("\r\x1b[K" + line[:width])
            sys.stderr.flush()

    def done(self, mark: str = "") -> None:
        seconds = clock(time.monotonic() - self.begin)
        wipe = "\r\x1b[K" if self.live else ""
        sys.stderr.write(f"{wipe}{self.text} · {seconds}  {mark}{self.title}\n")
        sys.stderr.flush()
        self.text = ""


class Runner(NotebookClient):
    """nbclient that tells what a cell says while it runs."""

    progress: Progress

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        said = content.get("text") or content.get("data", {}).get("text/plain")
        if isinstance(said, str) and one_line(said):
            self.progress.said = one_line(said)
        return super().process_message(msg, cell, cell_index)


def keep_widgets(runner: NotebookClient) -> None:
    """Keeps the states of the widgets that outputs show, so that a page draws them without a kernel."""
    runner.nb.metadata.pop("widgets", None)
    runner.set_widgets_metadata()
    outputs = [output for cell in runner.nb.cells for output in cell.get("outputs", [])]
    shown = {output.get("data", {}).get(WIDGET_VIEW, {}).get("model_id") for output in outputs}
    states = runner.nb.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for model in set(states) - shown:
        del states[model]
    if not states:
        runner.nb.metadata.pop("widgets", None)


def compact(text: str) -> str:
    """The same JSON with lists of numbers on one line: a figure has thousands, and indentation would double the file."""
    return NUMBERS.sub(lambda found: re.sub(r"\s+", "", found[0]).replace(",", ", "), text)


def save(notebook, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(compact(nbformat.writes(notebook)) + "\n", encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def explain(cell, error: Exception) -> str:
    """A failed cell's source, its error, and what it said on standard error."""
    streams = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
    traces = ["\n".join(o.traceback) for o in cell.outputs if o.output_type == "error"]
    said = ANSI.sub("", "".join(streams + traces)).strip() or str(error)
    tail = "\n".join(said.split("\n")[-30:])
    source = "\n".join(f"    {line}" for line in cell.source.split("\n"))
    return f"The cell\n{source}\nfailed:\n{tail}"


async def run(label: str, source: Path, target: Path) -> int:
    notebook = nbformat.read(source, as_version=4)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for index in code:
        notebook.cells[index].outputs = []
        notebook.cells[index].execution_count = None
    runner = Runner(
        notebook,
        timeout=None,
        startup_timeout=120,
        kernel_name=KERNEL,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    )
    progress = runner.progress = Progress(label)
    loop = asyncio.get_running_loop()
    interrupted = False
    parent = os.getppid()

    async with runner.async_setup_kernel():

        async def give_up() -> None:
            await asyncio.sleep(PATIENCE_S)
            await runner.km.shutdown_kernel(now=True)

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                asyncio.ensure_future(runner.km.shutdown_kernel(now=True))
                return
            interrupted = True
            print("\nStopping at the next step (again: at once) …", file=sys.stderr)
            asyncio.ensure_future(runner.km.interrupt_kernel())
            asyncio.ensure_future(give_up())

        # nbclient's own handlers would kill the kernel before the stage has written its checkpoint.
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(name, interrupt)

        async def watch() -> None:
            while True:
                progress.draw()
                if os.getppid() != parent and not interrupted:
                    interrupt()
                await asyncio.sleep(1)

        watcher = asyncio.ensure_future(watch())
        heading = ""
        try:
            for index, cell in enumerate(notebook.cells):
                found = re.findall(r"^#+\s+(.+)$", cell.source, re.M)
                if cell.cell_type != "code":
                    heading = found[-1] if found else heading
                    continue
                progress.cell(code.index(index) + 1, len(code), title_of(cell, heading))
                try:
                    await runner.async_execute_cell(cell, index)
                except (CellExecutionError, DeadKernelError) as error:
                    keep_widgets(runner)
                    save(notebook, target)
                    progress.done("interrupted: " if interrupted else "FAILED: ")
                    if not interrupted:
                        print(explain(cell, error), file=sys.stderr)
                    return 130 if interrupted else 1
                keep_widgets(runner)
                save(notebook, target)
                progress.done()
                if interrupted:
                    return 130
        finally:
            watcher.cancel()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(asyncio.run(run(sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve())))
