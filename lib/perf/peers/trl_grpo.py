"""A GRPO step of TRL on the work that the lab does: the same policy, prompts, groups and lengths. `srpo perf peers` calls it.

Without `--work` a random policy and prompts of random words, every completion as long as it may be; with `--work FILE`
a checkpoint and problems with pictures, whose completions end where the policy ends them. The reward is trivial, all
weights are trained in float32, and nothing is logged or saved while it is timed. Prints one JSON line.
"""

import argparse
import json
import os
import statistics
import tempfile
import time


def arguments():
    parser = argparse.ArgumentParser()
    defaults = dict(hidden=128, layers=4, vocabulary=803, prompts=16, group=8, prompt_tokens=32, new_tokens=96)
    for name, value in dict(defaults, steps=6, threads=2).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--work")
    return parser.parse_args()


def random_work(options):
    """A text policy of the lab's shape, its word-level tokenizer, and rows of random words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    words = {"<pad>": 0, "<eos>": 1, "<unk>": 2} | {f"w{i}": i for i in range(3, options.vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = dict(pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    heads = max(1, options.hidden // 32)
    config = Qwen2Config(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        intermediate_size=3 * options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    shape = (options.prompts * options.steps, options.prompt_tokens)
    rows = torch.randint(3, options.vocabulary, shape, generator=torch.Generator().manual_seed(1))
    prompts = [{"prompt": " ".join(f"w{i}" for i in row)} for row in rows.tolist()]
    processing = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    return Qwen2ForCausalLM(config), processing, prompts, {"min_new_tokens": options.new_tokens}


def words_of(content):
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def picture_work(options):
    """The lab's own checkpoint, and its problems with their pictures."""
    from PIL import Image
    from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

    with open(options.work) as file:
        work = json.load(file)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(work["checkpoint"], dtype="float32")
    # As in the lab, and in the published scripts.
    model.model.visual.requires_grad_(False)
    processing = AutoProcessor.from_pretrained(work["checkpoint"])
    problems = work["problems"][: options.prompts * options.steps]
    # TRL puts the pictures' places into the first user message itself.
    prompts = [
        {
            "prompt": [{"role": m["role"], "content": words_of(m["content"])} for m in row["messages"]],
            "images": [Image.open(path).convert("RGB") for path in row["images"]],
        }
        for row in problems
    ]
    return model, processing, prompts, {}


def main():
    options = arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    import trl
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    model, processing, prompts, generation = random_work(options) if options.work is None else picture_work(options)
    ends = []
    lengths = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_args, **_kwargs):
            if not ends:
                ends.append(time.perf_counter())

        def on_step_end(self, *_args, **_kwargs):
            ends.append(time.perf_counter())

    def reward(completions, completion_ids, **_):
        lengths.append(sum(len(ids) for ids in completion_ids))
        texts = [text if isinstance(text, str) else text[0]["content"] for text in completions]
        return [float(len(text) % 7) for text in texts]

    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward,
            processing_class=processing,
            train_dataset=Dataset.from_list(prompts),
            callbacks=[Clock()],
            args=GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=options.prompts * options.group,
                num_generations=options.group,
                max_completion_length=options.new_tokens,
                generation_kwargs=generation,
                max_steps=options.steps,
                learning_rate=1e-4,
                beta=0.0,
                temperature=1.0,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            ),
        )
        trainer.train()
    taken = [after - before for before, after in zip(ends, ends[1:])][2:]
    tokens = lengths[2:]
    seconds = statistics.median(taken)
    print(
        json.dumps(
            {
                "s_per_step": seconds,
                "tok_per_s": sum(tokens) / sum(taken),
                "tokens_per_step": statistics.mean(tokens),
                "threads": options.threads,
                "versions": {"trl": trl.__version__, "torch": torch.__version__},
            }
        )
    )


if __name__ == "__main__":
    main()
