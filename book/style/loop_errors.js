// Closed- against open-loop prediction, a layer at a time. Its data are in the page.
"use strict";

(() => {
  const { html, svg, text, number } = Figures;
  const place = document.querySelector("[data-scripts~='loop_errors.js']");
  const data = JSON.parse(place.querySelector("script").textContent);
  const last = data.layers.length - 1;
  const most = Math.max(...data.layers.flatMap((layer) => layer.trained.map(Math.abs)));
  let at = 0;

  const range = html("input", { type: "range", id: "loop-errors-layer", min: 1, max: last + 1, step: 1, value: 1 });
  const shown = html("output", { for: range.id, "aria-live": "off" });
  const back = html("button", { type: "button" }, "Back");
  const next = html("button", { type: "button" }, "Next layer");
  const status = html("p", { class: "result", role: "status", "aria-live": "polite" });
  const kernels = html("div", { class: "kernels" });
  const chart = html("div", { class: "chart" });
  place.append(
    html("div", { class: "stepper", role: "group", "aria-label": "Step through the layers" },
      back, next, html("label", { for: range.id }, "Layer ", shown), range),
    kernels, chart,
    html("ul", { class: "legend" },
      html("li", {}, html("span", { class: "swatch closed", "aria-hidden": "true" }), "closed loop"),
      html("li", {}, html("span", { class: "swatch open", "aria-hidden": "true" }), "open loop"),
      html("li", {}, html("span", { class: "swatch bound", "aria-hidden": "true" }), "half a step, the most that quantization alone can do to a weight")),
    status);

  const go = (layer) => { at = Math.min(Math.max(layer, 0), last); update(); };
  back.addEventListener("click", () => go(at - 1));
  next.addEventListener("click", () => go(at + 1));
  range.addEventListener("input", () => go(Number(range.value) - 1));

  // Nine weights as squares: blue below zero, orange above, stronger the larger.
  function kernel(title, weights) {
    const root = svg("svg", { viewBox: "0 0 96 96", role: "img", "aria-label": `${title}: ${weights.join(", ")}` });
    weights.forEach((weight, i) => root.append(svg("rect", {
      class: weight < 0 ? "below" : "above", x: 32 * (i % 3) + 1, y: 32 * Math.floor(i / 3) + 1, width: 30, height: 30,
      "fill-opacity": Math.min(1, Math.abs(weight) / most).toFixed(3) })));
    return html("figure", {}, root, html("figcaption", {}, title));
  }

  function update() {
    const layer = data.layers[at];
    const minus = (decoded) => decoded.map((weight, i) => Number((weight - layer.trained[i]).toPrecision(4)));
    range.value = at + 1;
    shown.value = `${at + 1} of ${last + 1}`;
    // aria-disabled keeps the focus where it is
    back.setAttribute("aria-disabled", at === 0);
    next.setAttribute("aria-disabled", at === last);
    kernels.replaceChildren(
      kernel("as trained", layer.trained),
      kernel("closed loop", layer.decoded.closed), kernel("its error", minus(layer.decoded.closed)),
      kernel("open loop", layer.decoded.open), kernel("its error", minus(layer.decoded.open)));
    status.textContent = at === 0
      ? "Layer 1 is stored as it is, so there is no error yet."
      : `Layer ${at + 1}: the error is ${number(layer.error.closed, 1)} % of the layer's rms weight in the closed loop and ` +
        `${number(layer.error.open, 1)} % in the open one.`;
    if (chart.clientWidth) chart.replaceChildren(draw(Math.floor(chart.clientWidth)));
  }

  function draw(width) {
    const top = Math.max(...data.layers.flatMap((layer) => [layer.error.open, layer.error.closed, layer.bound]));
    const { root, x, y, area } = Figures.axes({
      width, height: 240, xs: [1, last + 1], ys: [0, 1.08 * top], xTicks: data.layers.map((_, i) => i + 1),
      xLabel: "layer", yLabel: "rms error (% of the layer's rms weight)",
      label: `Error by layer, up to layer ${at + 1}: closed loop ${data.layers[at].error.closed} %, open loop ${data.layers[at].error.open} %`,
    });
    root.append(svg("line", { class: "cursor", x1: x(at + 1), x2: x(at + 1), y1: area.top, y2: area.bottom }));
    const lines = { bound: (layer) => layer.bound, closed: (layer) => layer.error.closed, open: (layer) => layer.error.open };
    for (const [name, value] of Object.entries(lines)) {
      const points = data.layers.slice(0, at + 1).map((layer, i) => [x(i + 1), y(value(layer))]);
      const group = svg("g", { class: `curve ${name}` }, svg("polyline", { points: points.map((point) => point.join()).join(" ") }));
      if (name !== "bound") for (const [cx, cy] of points) group.append(svg("circle", { cx, cy, r: 3.5 }));
      root.append(group);
    }
    return root;
  }

  Figures.fit(chart, update);
  update();
})();
