"""A real OpenAI-compatible server (llama-cpp-python's) with a model made here, in a second, on CPU.

    python test/rollout/openai/llama_server.py setup .cache/peers/llama-cpp
    .cache/peers/llama-cpp/bin/python test/rollout/openai/llama_server.py serve PORT MODEL.gguf

The model is a Llama whose attention and feed-forward weights are 0 and whose embeddings are unit vectors, so that each token has one
successor: what it says follows from the prompt's last token, and the chat template chooses that one by what is asked. It plays the
policy (a wrong and a right solution of 34 + 27), the judge and the teacher in both modes. Everything around it is real: HTTP, queue,
validation, template, sampling, and the grammar that llama.cpp makes of a JSON Schema.
"""

import subprocess
import sys
import venv
from pathlib import Path

NEEDED = ["llama-cpp-python[server]==0.3.36", "gguf==0.19.0"]

# What is said after which control token.
REPLIES = {
    "<|wrong|>": "<think>The bars are 34 and 27. 34+27=51.</think><answer>51</answer>",
    "<|right|>": "<think>Both bars: 34 with 27 makes 61.</think><answer>61</answer>",
    "<|judge|>": '{"comment": "One slip in a clear sum.", "score": 4}',
    "<|correct|>": '{"quote": "34+27=51", "flaw": "The carry of the ones was dropped.", "reflection": '
    '"In 34+27=51 I forgot what is carried: 4+7=11 leaves a one for the tens, which gives 3+2+1=6 tens.", '
    '"think": "The ones give 11, so the tens are 3+2+1=6, together 61.", "answer": "61"}',
    "<|condense|>": '{"reflection": "Reading off 34, then 27, and adding carefully was all this needed; naming the '
    'carry 4+7=11 would make it safer.", "think": "With the carry from 4+7=11 the tens are 6, so 61.", '
    '"answer": "61"}',
}

# System prompts tell the roles apart; of problems, those whose question ends in "please?" are solved.
TEMPLATE = (
    "{% set system = messages[0]['content'] %}{% set ns = namespace(text='') %}"
    "{% for part in messages[1]['content'] %}{% if part['type'] == 'text' %}{% set ns.text = part['text'] %}"
    "{% endif %}{% endfor %}"
    "{% if 'grade solutions' in system %}<|judge|>"
    "{% elif 'You teach a student' in system %}"
    "{% if 'The first solution is wrong' in ns.text %}<|correct|>{% else %}<|condense|>{% endif %}"
    "{% elif 'please?' in ns.text %}<|right|>{% else %}<|wrong|>{% endif %}"
)

PIECE = 12


def setup(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *NEEDED], check=True)


def write_model(path: str) -> None:
    import gguf
    import numpy as np

    kinds = gguf.TokenType
    tokens = [(b"<unk>", kinds.UNKNOWN), (b"<s>", kinds.CONTROL), (b"</s>", kinds.CONTROL)]
    tokens += [(b"<0x%02X>" % byte, kinds.BYTE) for byte in range(256)]
    end = 2
    successors = {}
    for start, reply in REPLIES.items():
        last = len(tokens)
        tokens.append((start.encode(), kinds.CONTROL))
        spelled = reply.replace(" ", "\u2581")
        for at in range(0, len(spelled), PIECE):
            successors[last] = len(tokens)
            last = len(tokens)
            tokens.append((spelled[at : at + PIECE].encode(), kinds.NORMAL))
        successors[last] = end
    assert len({text for text, _ in tokens}) == len(tokens), "a piece occurs twice"

    width, heads, inner = 192, 2, 32
    assert len(successors) <= width
    embedding = np.zeros((len(tokens), width), np.float32)
    output = np.zeros_like(embedding)
    for axis, (token, successor) in enumerate(successors.items()):
        embedding[token, axis] = 1
        output[successor, axis] += 10

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(end)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"]:
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    for name in ["attn_q", "attn_k", "attn_v", "attn_output"]:
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((width, width), np.float32))
    for name in ["ffn_gate", "ffn_up"]:
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((inner, width), np.float32))
    writer.add_tensor("blk.0.ffn_down.weight", np.zeros((width, inner), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(port: str, model: str) -> None:
    write_model(model)
    sys.argv = ["server", "--model", model, "--host", "127.0.0.1", "--port", port]
    sys.argv += ["--n_ctx", "512", "--n_threads", "1", "--verbose", "false"]
    from llama_cpp.server.__main__ import main

    main()


if __name__ == "__main__":
    if sys.argv[1] == "setup":
        setup(Path(sys.argv[2]))
    else:
        serve(*sys.argv[2:4])
