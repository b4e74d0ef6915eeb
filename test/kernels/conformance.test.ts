import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { jupyterEnv, needJupyter, python, root } from "./jupyter";

describe("kernels: Jupyter's conformance tests", () => {
  it("passes all of them, and skips none", function () {
    needJupyter(this);
    const env = jupyterEnv();
    if (spawnSync(python, ["-c", "import jupyter_kernel_test"], { env }).status !== 0) {
      console.log(
        "      skipped: jupyter_kernel_test is not in .venv; `npm run setup` installs it",
      );
      this.skip();
    }
    const suite = join(root, "test", "kernels", "conformance.py");
    const ran = spawnSync(python, [suite], { env, cwd: join(root, "test"), encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stderr, /^OK$/m, ran.stderr);
  });
});
