"""How long a cell goes on after Interrupt, on this clone's kernel: from SIGINT to the cell's reply.

    .venv/bin/python test/kernels/interrupts.py [TIMES] [--preset small] [--json]

Prints a row for each kind of cell: interrupts, median and slowest in seconds. A native call is measured from its return. The
training stage is GRPO with the paper's reward, interrupted TIMES times at moments that are drawn, each time gone on with by
the same cell; its first steps are taken before, and what it writes is taken away at the end.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300

REST = "const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)); let turns = 0;"
TENSORS = """
import { ready, tf } from "srpo-lab/dist/lib/engine/backend";
await ready();
const matrix = tf.randomUniform([3000, 3000]);
"""
STAGE = """
import { basePolicy, loadProblems, loadSpec, reinforce } from "srpo-lab";
const spec = loadSpec();
const problems = await loadProblems(spec, "rl");
"""

# What runs before, the cell, and how long its native call takes where it makes one.
CASES = {
    "synchronous loop": (REST, 'console.log("go"); for (;;) turns++;', 0),
    "loop after an await": (REST, 'await rest(10); console.log("go"); for (;;) turns++;', 0),
    "endless async loop": (REST, 'console.log("go"); for (;;) { await rest(5); turns++; }', 0),
    "native call of 3 s": (
        'import { execSync } from "node:child_process";',
        'console.log("go"); execSync("sleep 3"); for (;;);',
        3,
    ),
    "tfjs operations in a loop": (
        TENSORS,
        'console.log("go"); for (;;) tf.dispose(tf.matMul(matrix, matrix));',
        0,
    ),
    "training stage": (
        STAGE,
        'await reinforce(spec, { name: "SRPO", from: basePolicy(), reward: "paper", problems, '
        'onRollouts: (step) => console.log("step", step) });',
        0,
    ),
}


def run(client, code, on_output=lambda message: None):
    reply = client.execute_interactive(code, output_hook=on_output, timeout=TIMEOUT)
    return reply["content"]


def interrupted(manager, client, code, wait, native):
    """Seconds from the interrupt, or from the return of the native call, to the reply."""
    moments = {}

    def stop():
        moments["stopped"] = time.monotonic()
        manager.interrupt_kernel()

    timers = []

    def on_output(message):
        if message["msg_type"] == "stream" and not timers:
            moments["began"] = time.monotonic()
            timers.append(threading.Timer(wait, stop))
            timers[0].start()

    content = run(client, code, on_output)
    end = time.monotonic()
    for timer in timers:
        timer.join()
    if content["status"] != "error" or content["ename"] != "Interrupted":
        raise RuntimeError(f"the cell was not interrupted: {json.dumps(content)[:500]}")
    # A native call's beginning is heard some hundredths late: what is printed waits for more of it.
    return max(0, end - max(moments["stopped"], moments["began"] + native))


def measure(manager, client, before, code, native, times):
    content = run(client, before)
    if content["status"] != "ok":
        raise RuntimeError("\n".join(content["traceback"]))
    waits = random.Random(1)
    most = native or 2.5
    return [interrupted(manager, client, code, waits.uniform(0.2, most), native) for _ in range(times)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("times", nargs="?", type=int, default=10)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--json", action="store_true", help="one JSON line a kind of cell")
    arguments = parser.parse_args()
    runs = tempfile.mkdtemp(prefix="interrupts-")
    env = {"SRPO_RUNS": runs, "LAB_PRESET": arguments.preset}
    rows = []
    try:
        for name, (before, code, native) in CASES.items():
            manager = KernelManager(kernel_name="tslab")
            manager.start_kernel(cwd=str(ROOT), env={**os.environ, **env})
            client = manager.client()
            client.start_channels()
            try:
                client.wait_for_ready(timeout=TIMEOUT)
                found = measure(manager, client, before, code, native, arguments.times)
            finally:
                client.stop_channels()
                manager.shutdown_kernel(now=True)
            median, slowest = round(statistics.median(found), 3), round(max(found), 3)
            rows.append({"cell": name, "times": len(found), "median_s": median, "slowest_s": slowest})
            print(name, [round(seconds, 2) for seconds in found], file=sys.stderr)
    finally:
        shutil.rmtree(runs)
    if arguments.json:
        print("\n".join(json.dumps(row) for row in rows))
        return
    for row in [{key: key for key in rows[0]}, *rows]:
        print("  ".join(str(value).ljust(26 if key == "cell" else 9) for key, value in row.items()).rstrip())
    print(f"seconds; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
