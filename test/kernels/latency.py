"""How fast kernels are, side by side: from start to the first result, a trivial cell, a warm completion (medians).

    .venv/bin/python test/kernels/latency.py [RUNS]

Prints one JSON line a kernel: this clone's, stock tslab from node_modules, and ipykernel. The kernels take turns, so that a
busy machine is busy for all of them.
"""

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


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    names = ["lab", "stock-tslab", "ipykernel"]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        own_and_stock(Path(folder))
        specs = KernelSpecManager(kernel_dirs=[folder], ensure_native_kernel=False)
        for _ in range(runs):
            for name in names:
                found[name].append(measure(name, specs))
    for name, rows in found.items():
        medians = {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
        print(json.dumps({"kernel": name, "runs": runs, "load": os.getloadavg()[0], **medians}))


if __name__ == "__main__":
    main()
