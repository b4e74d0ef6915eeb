"""How fast kernels are, side by side: from start to the first result, a trivial cell, a warm completion (medians).

    .venv/bin/python test/kernels/latency.py [RUNS] [--json]

Prints a table with a row a kernel: this clone's, stock tslab from node_modules, and ipykernel; with `--json` one JSON line
each. The kernels take turns, so that a busy machine is busy for all of them.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
CELLS = 10


def own_and_stock(folder: Path) -> None:
    commands = {
        "lab": ["node", str(ROOT / "kernels/kernel.mjs"), "{connection_file}"],
        "stock-tslab": [
            "node",
            str(ROOT / "node_modules/tslab/bin/tslab"),
            "kernel",
            "--config-path",
            "{connection_file}",
        ],
        "ipykernel": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    }
    for name, argv in commands.items():
        spec = folder / name
        spec.mkdir()
        text = {"argv": argv, "display_name": name, "language": name}
        (spec / "kernel.json").write_text(json.dumps(text))


def seconds(ask) -> float:
    begin = time.monotonic()
    ask()
    return time.monotonic() - begin


def measure(name: str, specs: KernelSpecManager) -> dict[str, float]:
    manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
    begin = time.monotonic()
    manager.start_kernel(cwd=str(ROOT))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)

        def cell() -> None:
            client.execute_interactive("1 + 1", output_hook=lambda _: None, timeout=300)

        def completion() -> None:
            client.complete("Math.flo" if name != "ipykernel" else "str.jo", reply=True, timeout=300)

        cell()
        first = time.monotonic() - begin
        cells = [seconds(cell) for _ in range(CELLS)]
        completion()
        completions = [seconds(completion) for _ in range(CELLS)]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return {
        "first_result_s": first,
        "cell_s": statistics.median(cells),
        "completion_s": statistics.median(completions),
    }


def table(rows: list[dict[str, object]]) -> str:
    """Rows of equal keys as aligned columns."""
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [[cell.ljust(width) for cell, width in zip(line, widths)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="?", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON line a kernel")
    arguments = parser.parse_args()
    names = ["lab", "stock-tslab", "ipykernel"]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        own_and_stock(Path(folder))
        specs = KernelSpecManager(kernel_dirs=[folder], ensure_native_kernel=False)
        for run in range(arguments.runs):
            print(f"run {run + 1} of {arguments.runs}", file=sys.stderr)
            for name in names:
                found[name].append(measure(name, specs))
    rows = []
    for name, timed in found.items():
        medians = {key: round(statistics.median(row[key] for row in timed), 3) for key in timed[0]}
        worst = round(max(row["first_result_s"] for row in timed), 3)
        rows.append({"kernel": name, "runs": arguments.runs, **medians, "slowest_start_s": worst})
    if arguments.json:
        print("\n".join(json.dumps(row) for row in rows))
    else:
        print(table(rows))
        print(f"medians in seconds; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
