"""Jupyter's own conformance tests for kernels (jupyter_kernel_test) on the installed kernelspec, every sample filled in."""

import unittest

import jupyter_kernel_test


class TypeScriptKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "tslab"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("oops")'
    completion_samples = [
        {"text": "Math.flo", "matches": ["floor"]},
        {"text": "[1].fl", "matches": ["flat", "flatMap"]},
    ]
    complete_code_samples = ["1", "const x = 1", "function f() { return 1; }", "await f()", "x as any"]
    incomplete_code_samples = ["function f() {", "f(", "`open", "/* open", "x = ", "if (x) {\n  f();"]
    invalid_code_samples = ["let 1x = }", ")", "a b c"]
    code_generate_error = 'throw new Error("boom")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "8 + 5", "result": "13"},
        {"code": "html`<b>6</b>`", "mime": "text/html", "result": "<b>6</b>"},
    ]
    code_display_data = [
        {"code": "await display({ six: 7 })", "mime": "text/plain"},
        {"code": 'import { display as show } from "tslab"; show.html("<b>x</b>")', "mime": "text/html"},
    ]
    code_page_something = "Math.floor?"
    code_inspect_sample = "Math.floor"
    code_history_pattern = "6 ? 7"
    supported_history_operations = ("tail", "range", "search")
    code_clear_output = "clearOutput()"


class WelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "tslab"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
