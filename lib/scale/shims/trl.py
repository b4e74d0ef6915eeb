

# ---- TRL: reward_funcs=[srpo_reward]; the dataset's column `label` comes as a keyword.
def srpo_reward(completions, label, log_metric=None, **_):
    rows = [{"response": _text(one), "label": gold} for one, gold in zip(completions, label, strict=True)]
    numbers = score_rows(rows)
    if log_metric is not None and numbers:
        for name in numbers[0]:
            log_metric(f"srpo/{name}", sum(row[name] for row in numbers) / len(numbers))
    return [row["total"] for row in numbers]


def _text(completion):
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)
