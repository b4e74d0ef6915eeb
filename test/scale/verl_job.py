"""Stands for verl's trainer in a job on CPU: its own configuration, data set, processor and reward manager, no weights.

    python verl_job.py [overrides of the export's launch.sh]

Reads the exported data with RLHFDataset under the exported overrides, has the reward manager score the responses of
responses.json, and logs a step with verl's console logger. Prints `FOUND {...}`.
"""

import asyncio
import json
import sys

import numpy as np
import torch
from hydra import compose, initialize_config_module
from transformers import AutoProcessor, AutoTokenizer
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager
from verl.utils.dataset.rl_dataset import get_dataset_class
from verl.utils.logger.aggregate_logger import LocalLogger

with initialize_config_module("verl.trainer.config", version_base=None):
    config = compose("ppo_trainer", overrides=sys.argv[1:])
checkpoint = config.actor_rollout_ref.model.path
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
processor = AutoProcessor.from_pretrained(checkpoint)


def dataset():
    # As in verl's trainer: the class that the configuration names.
    kind = get_dataset_class(config.data)
    return kind(config.data.train_files, tokenizer, config.data, processor)


rows = dataset()


async def rewards(responses):
    manager = load_reward_manager(config, tokenizer)
    return await asyncio.gather(*(manager.run_single(item(i, text)) for i, text in enumerate(responses)))


def item(at, text):
    """A rollout as the agent loop hands it to the reward manager."""
    row = rows[at % len(rows)]
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    fields = {key: np.array([row[key]], dtype=object) for key in ("data_source", "reward_model", "extra_info")}
    return DataProto.from_dict(
        tensors={"responses": ids, "attention_mask": torch.ones_like(ids)}, non_tensors=fields
    )


responses = json.load(open("responses.json"))
found = asyncio.run(rewards(responses))
lengths = [
    len(processor(text=[processor.apply_chat_template(row["raw_prompt"], add_generation_prompt=True, tokenize=False)],
                  images=images or None, **config.data.mm_processor_kwargs)["input_ids"][0])
    for row in rows
    for images in [[part["image"] for message in row["raw_prompt"] for part in message["content"]
                    if isinstance(part, dict) and part["type"] == "image"]]
]
scores = [one["reward_score"] for one in found]
print("FOUND " + json.dumps({
    "dataset": type(rows).__name__,
    "rows": len(rows),
    "lengths": lengths,
    "rewards": [one["reward_extra_info"] | {"total": one["reward_score"]} for one in found],
}))
LocalLogger().log({"critic/score/mean": np.mean(scores), "response_length/mean": 12.5, "timing_s/step": 1.5}, step=1)
