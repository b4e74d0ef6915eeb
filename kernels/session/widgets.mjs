// Widgets: a view in the notebook's page and its state, which both sides change. The page's part is PyPI's `anywidget`, which
// runs an ES module of the widget's own; this is the cells' part, in Jupyter's widget protocol 2.1.
import { inspect } from "node:util";
import { BUTTON, SLIDER } from "./controls.mjs";
import { putBuffers, takeBuffers } from "./widget-state.mjs";

const JUPYTER_DISPLAY = Symbol.for("Jupyter.display");
const VIEW_MIME = "application/vnd.jupyter.widget-view+json";
const TARGET = "jupyter.widget";
/** Pages ask here for all widgets at once when they are loaded anew. */
const CONTROL_TARGET = "jupyter.widget.control";
const PROTOCOL = { version: "2.1.0" };
/** The front ends that can draw these widgets; a page loads the one that it has. */
const ANYWIDGET = "~0.11.*";
const FRONT_END = {
  _model_module: "anywidget",
  _model_name: "AnyModel",
  _model_module_version: ANYWIDGET,
  _view_module: "anywidget",
  _view_name: "AnyView",
  _view_module_version: ANYWIDGET,
  _view_count: null,
};

/** @param {ReturnType<import("./comms.mjs").createComms>["globals"]} comms */
export function createWidgets(comms) {
  /** Comm id → the widget's whole state: what pages ask for when they are loaded anew. */
  const living = new Map();

  comms.register(CONTROL_TARGET, (comm) => {
    comm.onMessage(({ method }) => {
      if (method !== "request_states") return;
      const found = [...living].map(([id, state]) => [id, takeBuffers(state)]);
      const states = found.map(([id, { state }]) => {
        const { _model_name: model_name, _model_module: model_module } = state;
        const model_module_version = state._model_module_version;
        return [id, { model_name, model_module, model_module_version, state }];
      });
      const buffer_paths = found.flatMap(([id, { paths }]) =>
        paths.map((path) => [id, "state", ...path]),
      );
      const buffers = found.flatMap(([, taken]) => taken.buffers);
      comm.send(
        { method: "update_states", states: Object.fromEntries(states), buffer_paths },
        { buffers },
      );
    });
  });

  /**
   * @param {{esm: string, css?: string, state?: object, text?: (state: object) => string}} options
   */
  function anywidget({ esm, css = "", state: own = {}, text = (values) => inspect(values) }) {
    if (typeof esm !== "string") {
      throw new TypeError(
        `anywidget: \`esm\` is the source of an ES module whose default export has a \`render\`, got ${inspect(esm)}.`,
      );
    }
    const state = { ...FRONT_END, _anywidget_id: "srpo-lab", _esm: esm, _css: css, ...own };
    const listeners = { change: new Set(), message: new Set() };
    const tell = (kind, ...values) => listeners[kind].forEach((listener) => listener(...values));
    const opening = takeBuffers(state);
    const comm = comms.open(
      TARGET,
      { state: opening.state, buffer_paths: opening.paths },
      { metadata: PROTOCOL, buffers: opening.buffers },
    );
    living.set(comm.id, state);
    comm.onClose(() => living.delete(comm.id));

    const say = (method, values) => {
      const { state: plain, paths, buffers } = takeBuffers(values);
      comm.send({ method, state: plain, buffer_paths: paths }, { buffers });
    };
    const names = new Set(Object.keys(own));
    const values = () => Object.fromEntries([...names].map((name) => [name, state[name]]));
    comm.onMessage((data, buffers) => {
      if (data.method === "request_state") say("update", state);
      else if (data.method === "custom") tell("message", data.content, buffers);
      else if (data.method === "update") {
        const changes = putBuffers(data.state, data.buffer_paths ?? [], buffers);
        Object.assign(state, changes);
        // Other pages that show this widget hear of it so; the page that sent it waits for it.
        say("echo_update", changes);
        tell("change", changes, values());
      }
    });

    return {
      id: comm.id,
      get: (name) => state[name],
      set(changes) {
        for (const name of Object.keys(changes)) names.add(name);
        Object.assign(state, changes);
        say("update", changes);
      },
      onChange(listener) {
        listeners.change.add(listener);
        return () => void listeners.change.delete(listener);
      },
      onMessage(listener) {
        listeners.message.add(listener);
        return () => void listeners.message.delete(listener);
      },
      send: (content, buffers) => comm.send({ method: "custom", content }, { buffers }),
      close() {
        living.delete(comm.id);
        comm.close();
      },
      [JUPYTER_DISPLAY]: () => ({
        [VIEW_MIME]: { version_major: 2, version_minor: 1, model_id: comm.id },
        "text/plain": text(values()),
      }),
      [inspect.custom]: () => `Widget ${inspect(values())}`,
    };
  }

  return {
    anywidget,
    /** A number that is dragged. */
    slider({ label = "", min = 0, max = 1, step = (max - min) / 100, value = min } = {}) {
      const text = (state) => `${state.label || "slider"}: ${state.value} (${min} to ${max})`;
      const made = anywidget({ ...SLIDER, text, state: { label, min, max, step, value } });
      return Object.defineProperty(made, "value", { get: () => made.get("value") });
    },
    /** With `interrupts` a click does what Interrupt does, and needs nobody to listen: the cell may be busy. */
    button({ label = "", interrupts = false, disabled = false, onClick } = {}) {
      const text = (state) => `[${state.label}]`;
      const made = anywidget({ ...BUTTON, text, state: { label, interrupts, disabled } });
      if (onClick !== undefined) made.onMessage(() => onClick(made));
      return made;
    },
  };
}
