"""The embedded policy's tokenizer, chat template and image-processor settings, in Hugging Face layout.

usage: node dist/datasets/base-policy/tokenizer-corpus.js > corpus.txt
       python make_tokenizer.py corpus.txt [OUT_DIR]

Needs PyPI `tokenizers` only; the written files are committed, so that nobody else has to run this. Ids are part of every
checkpoint: run it again only before a new base policy is trained. Words that the families take up later still encode,
in pieces.

A byte-level BPE of Qwen2's class: any text can be written with the 256 bytes, each digit is a token of its own, and every
word of the corpus is a single token, with a space before it or without. That last property is why the merges are trained
on the list of words, each counted alike, until nothing is left to merge: running text would spend the merges on frequent
words and leave rare ones in pieces.
"""

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).resolve().parent

# Qwen2's pre-tokenizer: contractions, words, single digits, punctuation, line ends, spaces.
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PAD, END = "<|endoftext|>", "<|im_end|>"
SPECIAL = [PAD, "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
# Part of what the policy says, so not special: `skip_special_tokens` must keep them.
TAGS = ["<think>", "</think>", "<answer>", "</answer>", "<reflection>", "</reflection>"]
# Words of the chat form itself and a few a user is likely to write.
CHAT_WORDS = "user assistant system You are a helpful tutor".split()
# A ceiling; training stops where every word is whole.
MAX_VOCABULARY = 896

CHAT_TEMPLATE = """\
{#- ChatML with Qwen2.5-VL's vision tags. No system prompt unless the messages hold one. -#}
{%- for message in messages -%}
    {{- '<|im_start|>' + message['role'] + '\\n' -}}
    {%- if message['content'] is string -%}
        {{- message['content'] -}}
    {%- else -%}
        {%- for part in message['content'] -%}
            {%- if part['type'] == 'image' or part['type'] == 'image_url' -%}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
            {%- elif part['type'] == 'video' -%}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
            {%- elif part['type'] == 'text' -%}
                {{- part['text'] -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def empty_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def word_list(lines: list[str], tokenizer: Tokenizer) -> list[str]:
    """Every piece into which the pre-tokenizer cuts the corpus, words with a space before them and without."""
    words = set(CHAT_WORDS)
    for line in lines:
        for tag in TAGS:
            line = line.replace(tag, "\n")
        for _, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(line):
            words.add(line[start:end])
    both = {form for word in words if word.strip().isalpha() for form in (word.strip(), " " + word.strip())}
    return sorted(word for word in words | both if len(word) > 1 and "\n" not in word)


def train(lines: list[str]) -> Tokenizer:
    tokenizer = empty_tokenizer()
    words = word_list(lines, tokenizer)
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_VOCABULARY - len(SPECIAL) - len(TAGS),
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Twice, because the trainer leaves alone what occurs once.
    tokenizer.train_from_iterator((word for word in words for _ in range(2)), trainer)
    broken = [word for word in words if len(tokenizer.encode(word).ids) > 1]
    if broken:
        raise SystemExit(f"{len(broken)} of {len(words)} words need more than {MAX_VOCABULARY} tokens: {broken[:20]}")
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in TAGS])
    print(f"{tokenizer.get_vocab_size()} tokens, {len(words)} words, each one token")
    return tokenizer


def settings(tokenizer: Tokenizer) -> dict[str, dict]:
    added = {
        str(tokenizer.token_to_id(token)): dict(
            content=token, lstrip=False, normalized=False, rstrip=False, single_word=False, special=token in SPECIAL
        )
        for token in SPECIAL + TAGS
    }
    return {
        "tokenizer_config.json": dict(
            tokenizer_class="Qwen2Tokenizer",
            processor_class="Qwen2_5_VLProcessor",
            add_prefix_space=False,
            added_tokens_decoder=added,
            additional_special_tokens=SPECIAL,
            bos_token=None,
            clean_up_tokenization_spaces=False,
            eos_token=END,
            errors="replace",
            model_max_length=2048,
            pad_token=PAD,
            split_special_tokens=False,
            unk_token=None,
        ),
        "generation_config.json": dict(
            do_sample=True,
            temperature=1.0,
            eos_token_id=tokenizer.token_to_id(END),
            pad_token_id=tokenizer.token_to_id(PAD),
        ),
        "preprocessor_config.json": dict(
            image_processor_type="Qwen2VLImageProcessor",
            processor_class="Qwen2_5_VLProcessor",
            patch_size=14,
            temporal_patch_size=2,
            merge_size=2,
            min_pixels=28 * 28 * 4,
            max_pixels=28 * 28 * 64,
            size=dict(shortest_edge=28 * 28 * 4, longest_edge=28 * 28 * 64),
            resample=3,
            do_resize=True,
            do_convert_rgb=True,
            do_rescale=True,
            rescale_factor=1 / 255,
            do_normalize=True,
            image_mean=[0.48145466, 0.4578275, 0.40821073],
            image_std=[0.26862954, 0.26130258, 0.27577711],
        ),
    }


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else HERE
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train(lines)
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    for name, values in settings(tokenizer).items():
        (out / name).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
