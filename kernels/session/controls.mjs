// The pages' parts of `slider` and `button`: ES modules that anywidget runs in the browser, in the theme's own colours.

const CSS = `
.srpo-control { display: inline-flex; align-items: center; gap: 8px; padding: 2px 0; font: inherit;
  color: var(--jp-content-font-color1, currentColor); }
.srpo-control output { min-width: 4em; font-variant-numeric: tabular-nums; }`;

export const SLIDER = {
  css: CSS,
  esm: `
export default {
  render({ model, el }) {
    const box = document.createElement("label");
    box.className = "srpo-control";
    const name = document.createElement("span");
    const input = Object.assign(document.createElement("input"), { type: "range" });
    const shown = document.createElement("output");
    box.append(name, input, shown);
    const draw = () => {
      name.textContent = model.get("label");
      for (const key of ["min", "max", "step", "value"]) input[key] = model.get(key);
      shown.value = Number(model.get("value").toPrecision(6));
    };
    input.addEventListener("input", () => {
      model.set("value", input.valueAsNumber);
      model.save_changes();
    });
    model.on("change", draw);
    draw();
    el.append(box);
    return () => model.off("change", draw);
  },
};`,
};

export const BUTTON = {
  css: CSS,
  esm: `
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.className = "srpo-control jp-Button jp-mod-styled " + (model.get("interrupts") ? "jp-mod-warn" : "jp-mod-accept");
    const draw = () => {
      button.textContent = model.get("label");
      button.disabled = model.get("disabled");
    };
    button.addEventListener("click", () => model.send(model.get("interrupts") ? { interrupt: true } : { click: true }));
    model.on("change", draw);
    draw();
    el.append(button);
    return () => model.off("change", draw);
  },
};`,
};
