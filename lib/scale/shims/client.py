# The reward server decides; this file forwards. It has no reward of its own: when the server cannot be asked or refuses, the
# call raises, and training stops with the reason instead of learning from an invented number.
#
# SRPO_REWARD_URL and SRPO_REWARD_TOKEN in the environment of the workers say where the server is and who is asking.
import http.client
import json
import math
import os
import threading
import time
from urllib.parse import urlsplit

URL = "http://127.0.0.1:8977"
# The reward that the data was exported for; a server with another one refuses. None asks for whatever is served.
REWARD = None
ROWS_A_REQUEST = 128
ATTEMPTS = 6
TIMEOUT_S = 120

_local = threading.local()


class RewardError(RuntimeError):
    """The reward server gave no reward."""


def score_rows(rows):
    """Rows {response, label} as the server's numbers, one dict a row, in order."""
    numbers = []
    for start in range(0, len(rows), ROWS_A_REQUEST):
        numbers += _score(rows[start : start + ROWS_A_REQUEST])
    return numbers


def _score(rows):
    body = json.dumps({"rows": rows}).encode()
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt > 0:
            time.sleep(min(8.0, 0.25 * 2**attempt))
        try:
            status, reply = _post(body)
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
            continue
        if status == 200:
            return _read(reply, len(rows))
        why = f"status {status}: {reply[:300].decode(errors='replace')}"
        # Too busy, or restarting; anything else would be refused again.
        if status not in (408, 502, 503, 504):
            break
    raise RewardError(f"no reward from {_address()[0]} ({why})")


def _address():
    url = os.environ.get("SRPO_REWARD_URL", URL).rstrip("/")
    return url, urlsplit(url)


def _post(body):
    _, url = _address()
    token = os.environ.get("SRPO_REWARD_TOKEN", "").strip()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if REWARD is not None:
        headers["X-Srpo-Reward"] = REWARD
    kept = getattr(_local, "connection", None)
    if kept is None or kept[0] != (os.getpid(), url):
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        # A forked worker must not speak on its parent's connection.
        kept = _local.connection = ((os.getpid(), url), kind(url.hostname, url.port, timeout=TIMEOUT_S))
    connection = kept[1]
    try:
        connection.request("POST", f"{url.path}/score", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except BaseException:
        connection.close()
        _local.connection = None
        raise


def _read(reply, count):
    try:
        numbers = json.loads(reply)["rewards"]
        whole = len(numbers) == count and all(
            math.isfinite(value) for row in numbers for value in [row["total"], *row.values()]
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RewardError(f"the reply is no reward ({error})") from error
    if not whole:
        raise RewardError(f"asked for {count} rewards, got {len(numbers)}, or one is no number")
    return numbers
