"""A reward server as a Python user writes one: FastAPI, uvicorn and math-verify, for the table of `reward-load.ts`.

usage: python math_verify_server.py PORT
PyPI: math-verify==0.9.0 fastapi uvicorn

It does the same work on OpenRLHF's contract: both answers against the gold one, the template, and the length term, for which
characters stand in for tokens (which spares it the tokenizer).
"""

import json
import math
import re
import sys

import uvicorn
from fastapi import FastAPI, Request
from math_verify import parse, verify

app = FastAPI()
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.S)
THINK = re.compile(r"<think>(.*?)</think>", re.S)
FORMAT = re.compile(
    r"\s*<think>.+?</think>\s*<answer>.+?</answer>\s*<reflection>.+?</reflection>\s*<think>.+?</think>\s*<answer>.+?</answer>\s*",
    re.S,
)
EFFECT = {(True, True): 0.25, (False, True): 0.5, (True, False): -0.25, (False, False): 0.0}


def right(answer: str, gold: str) -> bool:
    if answer.strip() == gold:
        return True
    return verify(parse(f"${gold}$"), parse(answer if "$" in answer else f"${answer}$"))


def score(response: str, gold: str) -> tuple[float, bool]:
    answers, thinks = ANSWER.findall(response), THINK.findall(response)
    correct = [right(answer, gold) for answer in answers[:2]]
    total = 0.5 * bool(FORMAT.fullmatch(response)) + 0.5 * (bool(correct) and correct[0])
    if len(correct) == 2:
        total += EFFECT[correct[0], correct[1]] + 0.25 * ("</reflection>" in response)
        base = len(thinks[0]) + len(answers[0]) if thinks else 0
        if base > 0:
            total += 0.1 * math.exp(-((abs(len(response) - 2 * base) / (0.5 * base)) ** 2))
    return total, bool(correct) and correct[-1]


@app.post("/get_reward")
async def get_reward(request: Request) -> dict:
    body = await request.json()
    results = []
    for query, prompt, label in zip(body["query"], body["prompts"], body["labels"], strict=True):
        gold = json.loads(label)["gold"] if label.startswith("{") else label
        results.append(score(query[len(prompt) :].removesuffix("<|im_end|>"), gold))
    return {"rewards": [total for total, _ in results], "scores": [float(ok) for _, ok in results]}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
