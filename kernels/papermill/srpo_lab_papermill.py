"""Papermill's parameters for TypeScript notebooks: `papermill in.ipynb out.ipynb -p steps 20`.

Set-up puts this file into the environment. Papermill has no way to announce a translator, and it loads the engines that
packages announce; so this one announces papermill's own engine, and registers the translator while it is loaded.
"""

import json
import math
import re

from papermill.engines import NBClientEngine as Engine  # noqa: F401, what the entry point names
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

DECLARATION = re.compile(
    r"^(?:const|let|var)\s+(?P<name>[\w$]+)\s*(?::\s*(?P<type>[^=]+?))?\s*="
    r"\s*(?P<value>.+?)\s*;?\s*(?://\s*(?P<help>.*))?$"
)


class TypeScriptTranslator(Translator):
    """Values of JSON and YAML as declarations, which a later cell's may follow: each cell may declare a name anew."""

    @classmethod
    def translate(cls, val) -> str:
        if isinstance(val, dict):
            pairs = (f"{json.dumps(str(key))}: {cls.translate(one)}" for key, one in val.items())
            return f"{{ {', '.join(pairs)} }}"
        if isinstance(val, (list, tuple)):
            return f"[{', '.join(map(cls.translate, val))}]"
        if isinstance(val, float) and not math.isfinite(val):
            return "NaN" if math.isnan(val) else "Infinity" if val > 0 else "-Infinity"
        return json.dumps(val, default=str)

    @classmethod
    def comment(cls, cmt_str: str) -> str:
        return f"// {cmt_str}"

    @classmethod
    def assign(cls, name: str, str_val: str) -> str:
        return f"let {name} = {str_val};"

    @classmethod
    def inspect(cls, parameters_cell) -> list[Parameter]:
        """The one-line declarations of the cell tagged `parameters`, for `papermill --help-notebook`."""
        found = map(DECLARATION.match, parameters_cell["source"].splitlines())
        return [
            Parameter(
                name=one["name"],
                inferred_type_name=one["type"] or "None",
                default=one["value"],
                help=one["help"] or "",
            )
            for one in found
            if one
        ]


papermill_translators.register("typescript", TypeScriptTranslator)
