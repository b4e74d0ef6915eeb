"""Drives the kernel `tslab` through Jupyter's own client: reads orders as JSON lines, answers each with a JSON line.

An order is {"code": str, "interrupt_after": seconds or null, "by": "signal" or "message", "answers": [str]}, which runs a
cell and may interrupt it so long after its first output, or send a page's message then, with its type as "by" and its "content"; {"queue": [str], "and": str or null}, which sends several cells,
and perhaps another request, at once; or
{"request": str, "content": {}}, which sends one other request on the shell or, with "channel", on the control channel; or {"comm": str, "content": {}, "wanted": int, "buffers": [[int]]}, which
speaks as a widget's page would.
"""

import json
import sys
import threading
import time

from jupyter_client.manager import start_new_kernel

TIMEOUT = 90
IGNORED = ("status", "execute_input")


def interrupt(manager, client, by, content):
    if by == "message":
        client.control_channel.send(client.session.msg("interrupt_request", {}))
    elif by is not None and by.startswith("comm_"):
        client.shell_channel.send(client.session.msg(by, content))
    else:
        manager.interrupt_kernel()


def execute(manager, client, order):
    answer = {"stdout": "", "stderr": "", "error": None, "result": None, "displays": [], "seconds_to_stop": None}
    answers = list(order.get("answers", []))
    timers = []
    stopped_at = []

    def stop():
        stopped_at.append(time.monotonic())
        interrupt(manager, client, order.get("by"), order.get("content"))

    def on_output(message):
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            answer[content["name"]] += content["text"]
        elif kind == "error":
            answer["error"] = content
        elif kind == "execute_result":
            answer["result"] = content["data"]
        elif kind not in IGNORED:
            answer["displays"].append({"type": kind, **content})
        if order.get("interrupt_after") is not None and kind == "stream" and not timers:
            timers.append(threading.Timer(order["interrupt_after"], stop))
            timers[0].start()

    def on_input(message):
        client.input(answers.pop(0))

    begin = time.monotonic()
    reply = client.execute_interactive(
        order["code"],
        output_hook=on_output,
        stdin_hook=on_input,
        allow_stdin=bool(answers),
        timeout=TIMEOUT,
    )
    end = time.monotonic()
    for timer in timers:
        timer.join()
    if stopped_at:
        answer["seconds_to_stop"] = end - stopped_at[0]
    return {"status": reply["content"]["status"], "seconds": end - begin, **answer}


def queue(client, codes, other):
    wanted = [client.execute(code) for code in codes]
    if other is not None:
        message = client.session.msg(other, {})
        client.shell_channel.send(message)
        wanted.append(message["header"]["msg_id"])
    found = {}
    while len(found) < len(wanted):
        reply = client.get_shell_msg(timeout=TIMEOUT)
        found[reply["parent_header"]["msg_id"]] = reply
    return {
        "statuses": [found[one]["content"]["status"] for one in wanted],
        "replies": [reply["msg_type"] for reply in found.values()],
    }


def request(client, order):
    channel = client.control_channel if order.get("channel") == "control" else client.shell_channel
    message = client.session.msg(order["request"], order["content"])
    channel.send(message)
    while True:
        reply = channel.get_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return {"type": reply["msg_type"], "content": reply["content"]}


def comm(client, order):
    """Sends a page's message and collects what is published on channels until `wanted` messages have come."""
    buffers = [bytes(one) for one in order.get("buffers", [])]
    message = client.session.send(
        client.shell_channel.socket, order["comm"], order["content"], buffers=buffers
    )
    found = []
    while len(found) < order["wanted"]:
        published = client.get_iopub_msg(timeout=TIMEOUT)
        if published["msg_type"].startswith("comm_"):
            found.append({
                "type": published["msg_type"],
                "content": published["content"],
                "buffers": [list(bytes(one)) for one in published["buffers"]],
                "answers": published["parent_header"].get("msg_id") == message["header"]["msg_id"],
            })
    return found


manager, client = start_new_kernel(startup_timeout=60, kernel_name="tslab")
try:
    print(json.dumps({"pid": manager.provisioner.pid}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "queue" in order:
            answer = queue(client, order["queue"], order.get("and"))
        elif "comm" in order:
            answer = comm(client, order)
        elif "request" in order:
            answer = request(client, order)
        else:
            answer = execute(manager, client, order)
        print(json.dumps(answer), flush=True)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
