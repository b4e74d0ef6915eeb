"""Drives the kernel `tslab` through Jupyter's own client: reads cells as JSON lines, answers each with a JSON line.

A cell is {"code": str, "interrupt_after": seconds or null}; an answer is {"status", "stdout", "stderr", "seconds"}.
"""

import json
import sys
import threading
import time

from jupyter_client.manager import start_new_kernel


def execute(manager, client, code, interrupt_after):
    """Runs one cell to its end; an interrupt is sent so many seconds after its first output."""
    text = {"stdout": "", "stderr": ""}
    timers = []

    def on_output(message):
        if message["msg_type"] != "stream":
            return
        text[message["content"]["name"]] += message["content"]["text"]
        if interrupt_after is not None and not timers:
            timers.append(threading.Timer(interrupt_after, manager.interrupt_kernel))
            timers[0].start()

    begin = time.monotonic()
    reply = client.execute_interactive(code, output_hook=on_output, timeout=60)
    seconds = time.monotonic() - begin
    for timer in timers:
        timer.join()
    return {"status": reply["content"]["status"], "seconds": seconds, **text}


manager, client = start_new_kernel(startup_timeout=60, kernel_name="tslab")
try:
    print(json.dumps({"pid": manager.provisioner.pid}), flush=True)
    for line in sys.stdin:
        cell = json.loads(line)
        answer = execute(manager, client, cell["code"], cell.get("interrupt_after"))
        print(json.dumps(answer), flush=True)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
