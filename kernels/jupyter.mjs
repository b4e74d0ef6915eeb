// Jupyter kept inside the clone: its settings, run-time files and kernels, whatever the user has elsewhere.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { StepFailure, root, venv, venvPython, writeWhole } from "./tools.mjs";

/** JupyterLab asks at its first start whether it may fetch news; nothing here talks to the outside. */
const OVERRIDES = {
  "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false },
};

/** The environment in which Jupyter finds this clone's kernel and writes nothing outside the clone. */
export function jupyterEnv(env = process.env) {
  const home = join(root, ".cache", "jupyter");
  const config = join(home, "config");
  writeWhole(
    join(config, "labconfig", "default_setting_overrides.json"),
    JSON.stringify(OVERRIDES, null, 2),
  );
  return {
    ...env,
    PATH: [join(venv, "bin"), env.PATH].join(delimiter),
    JUPYTER_PATH: join(venv, "share", "jupyter"),
    JUPYTER_CONFIG_DIR: config,
    JUPYTER_DATA_DIR: join(home, "data"),
    JUPYTER_RUNTIME_DIR: join(home, "runtime"),
    IPYTHONDIR: join(home, "ipython"),
    JUPYTER_NO_CONFIG: "",
    PYTHONUNBUFFERED: "1",
  };
}

/** @throws StepFailure where set-up had to go without Python */
export function needJupyter() {
  if (existsSync(venvPython)) return;
  throw new StepFailure("notebooks need JupyterLab, and set-up found no Python for it", {
    fix: "install Python 3.10 or later with venv, then run this again; until then `npm test` and `npx srpo` work",
  });
}
