

# ---- verl: reward.custom_reward_function.path=<this file>, name=compute_score. verl awaits it, many at a time.
import asyncio
from concurrent.futures import ThreadPoolExecutor

_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="srpo-reward")


async def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    row = {"response": solution_str, "label": ground_truth}
    (numbers,) = await asyncio.get_running_loop().run_in_executor(_threads, score_rows, [row])
    # `acc` is what verl's validation and its filter of groups look at.
    return {"score": numbers["total"], "acc": numbers["correct"], **numbers}
