"""LLaMA-Factory's own loader on an exported data set.

    python test/stages/load_with_llamafactory.py setup .cache/peers/llamafactory
    .cache/peers/llamafactory/bin/python test/stages/load_with_llamafactory.py load FOLDER POLICY NAME...

`setup` makes the environment: the package as PyPI has it, PyTorch without torchvision, torchaudio and the web interface, which the
loader does not need (2 GB where PyTorch is a CPU build). `load` goes the whole way of a training run's start: dataset_info.json, the
conversion of the conversations, the template of Qwen2-VL with its picture tokens, and labels; POLICY is a folder with a tokenizer.
It prints one JSON object.
"""

import importlib.machinery
import json
import os
import subprocess
import sys
import types
import venv
from pathlib import Path

LLAMAFACTORY = "llamafactory==0.9.5"
# What the loader imports, in the ranges that the package states.
NEEDED = [
    "torch==2.13.0",
    "accelerate<=1.11.0",
    "av<=16.0.0",
    "datasets<=4.0.0",
    "einops",
    "fire",
    "matplotlib",
    "omegaconf",
    "pandas",
    "peft<=0.18.1",
    "pillow",
    "protobuf",
    "pydantic",
    "pyyaml",
    "scipy",
    "sentencepiece",
    "tiktoken",
    "torchdata<=0.11.0",
    "transformers<=5.6.0,!=4.52.0,!=4.57.0",
    "trl<=0.24.0",
    "tyro<0.9.0",
]


def setup(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
    # PyTorch first: afterwards its range is satisfied and nothing larger is fetched.
    subprocess.run([*pip, NEEDED[0]], check=True)
    subprocess.run([*pip, *NEEDED[1:]], check=True)
    subprocess.run([*pip, "--no-deps", LLAMAFACTORY], check=True)


def load(folder: str, policy: str, names: list[str]) -> dict:
    aside = os.path.join(folder, ".llamafactory")
    os.environ.update(HF_HUB_OFFLINE="1", HF_HOME=aside, DISABLE_VERSION_CHECK="1", WANDB_DISABLED="true")
    # Imported where pictures are read, used for sound alone.
    silence = types.ModuleType("torchaudio")
    silence.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = silence

    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import AutoTokenizer, Seq2SeqTrainingArguments
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = AutoTokenizer.from_pretrained(policy)
    processor = types.SimpleNamespace(
        tokenizer=tokenizer, image_processor=Qwen2VLImageProcessorPil.from_pretrained(policy)
    )
    pad = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    training = Seq2SeqTrainingArguments(output_dir=aside, report_to=[])
    model = ModelArguments(model_name_or_path=policy)
    loaded = {}
    for name in names:
        data = DataArguments(template="qwen2_vl", dataset=name, dataset_dir=folder, cutoff_len=100_000)
        data.media_dir = data.media_dir or folder
        template = get_template_and_fix_tokenizer(tokenizer, data)
        module = get_dataset(template, model, data, training, "sft", tokenizer, processor)
        rows = module["train_dataset"]
        loaded[name] = {
            "learned": [
                tokenizer.decode([token for token in row["labels"] if token != -100]) for row in rows
            ],
            "images": [row["images"] for row in rows],
            "picture_tokens": [row["input_ids"].count(pad) for row in rows],
        }
    return loaded


if __name__ == "__main__":
    if sys.argv[1] == "setup":
        setup(Path(sys.argv[2]))
    else:
        print(json.dumps(load(sys.argv[2], sys.argv[3], sys.argv[4:])))
