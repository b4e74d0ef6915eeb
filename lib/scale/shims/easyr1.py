

# ---- EasyR1: worker.reward.reward_function=<this file>:compute_score. It is called with a batch.
REWARD_NAME = "srpo"
REWARD_TYPE = "batch"


def compute_score(reward_inputs, **_):
    rows = [{"response": one["response"], "label": one["ground_truth"]} for one in reward_inputs]
    return [{"overall": numbers["total"], **numbers} for numbers in score_rows(rows)]
