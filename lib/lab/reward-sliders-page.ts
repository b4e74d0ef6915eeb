/** What the page runs for `reward-sliders.ts`: plain DOM, in the theme's colours. The figure comes drawn from the kernel. */

export const SLIDERS_CSS = `
.srpo-sliders { color: var(--jp-content-font-color1, currentColor); font-size: 13px; }
.srpo-sliders form { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 4px 20px; max-width: 900px; margin-bottom: 8px; }
.srpo-sliders label { display: grid; grid-template-columns: 7em 1fr 3.5em; align-items: center; gap: 8px; }
.srpo-sliders output { font-variant-numeric: tabular-nums; text-align: right; }
.srpo-sliders figure { margin: 8px 0; max-width: 900px; }
.srpo-sliders figure svg { max-width: 100%; height: auto; }`;

export const SLIDERS_ESM = `
export default {
  render({ model, el }) {
    const form = document.createElement("form");
    const inputs = model.get("sliders").map(({ name, label, min, max }) => {
      const row = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "range", name, min, max, step: 0.01 });
      const shown = document.createElement("output");
      row.append(label, input, shown);
      form.append(row);
      return { name, input, shown };
    });
    const reset = Object.assign(document.createElement("button"), { type: "reset", textContent: "As trained" });
    reset.className = "jp-Button jp-mod-styled jp-mod-accept";
    const figure = document.createElement("figure");
    el.classList.add("srpo-sliders");
    el.append(form, reset, figure);

    const send = (values) => {
      model.set("values", values);
      model.save_changes();
    };
    form.addEventListener("input", () => {
      send(Object.fromEntries(inputs.map(({ name, input }) => [name, input.valueAsNumber])));
    });
    reset.addEventListener("click", () => {
      send(Object.fromEntries(model.get("sliders").map(({ name, trained }) => [name, trained])));
    });

    const place = () => {
      const values = model.get("values");
      for (const { name, input, shown } of inputs) {
        input.value = values[name];
        shown.value = values[name].toFixed(2);
      }
    };
    const draw = () => {
      figure.innerHTML = model.get("svg");
      figure.setAttribute("aria-label", model.get("text"));
    };
    model.on("change:values", place);
    model.on("change:svg", draw);
    place();
    draw();
    return () => {
      model.off("change:values", place);
      model.off("change:svg", draw);
    };
  },
};`;
