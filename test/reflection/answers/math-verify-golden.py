"""Asks math-verify 0.9.0 for its verdicts on cases of the lab's own, for test/reflection/answers/math-verify.test.ts.

    pip install "math-verify[antlr4_13_2]==0.9.0"
    python test/reflection/answers/math-verify-golden.py > test/reflection/answers/math-verify-golden.json
"""

import json
import logging
import pathlib
import warnings

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
EXTRACTORS = {
    "latex": LatexExtractionConfig(boxed_match_priority=0),
    "expr": ExprExtractionConfig(),
}


def verdict(case):
    """A case is [gold, prediction] or [gold, prediction, options]."""
    gold, prediction, *rest = case
    options = rest[0] if rest else {}
    if options.get("default_parse"):
        parsed = [parse(text) for text in (gold, prediction)]
    else:
        types = options.get("match_types", ["latex", "expr"])
        extractors = [EXTRACTORS[name] for name in types]
        parsed = [parse(text, extractors) for text in (gold, prediction)]
    return verify(
        *parsed,
        float_rounding=options.get("precision", 6),
        strict=options.get("strict", True),
        allow_set_relation_comp=options.get("allow_set_relation_comp", False),
    )


cases = json.loads(pathlib.Path(__file__).with_name("math-verify-cases.json").read_text())
lines = [
    json.dumps(case + [{}] * (3 - len(case)) + [verdict(case)], ensure_ascii=False) for case in cases
]
print("[\n  " + ",\n  ".join(lines) + "\n]")
