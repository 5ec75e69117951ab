// The explorer: choices on top; size, accuracy, rate split and histogram follow at once. Its data are in the page.
"use strict";

(() => {
  const { html, svg, text, number, signed } = Figures;
  const place = document.querySelector("[data-scripts~='explorer.js']");
  const data = JSON.parse(place.querySelector("script").textContent);
  const PARTS = ["texture", "index", "first layer", "side"];
  const CODERS = { huffman: "Huffman", ans: "ANS" };
  const LOOPS = { closed: "closed", open: "open" };
  const chosen = { network: "mobilenet", dataset: "cifar10", curve: "ill", bits: 8, loop: "closed", coder: "huffman" };

  const key = (curve, loop) => `${chosen.network} ${chosen.dataset} ${curve} ${curve === "baseline" ? "closed" : loop}`;
  const way = (curve = chosen.curve) => data.ways[key(curve, chosen.loop)];
  const pointOf = (found) => found.points.find((point) => point.bits === chosen.bits);
  const bytes = (point) => point[chosen.coder].reduce((sum, part) => sum + part, 0);

  function select(name, title, options) {
    const list = html("select", { id: `explorer-${name}` });
    for (const [value, label] of Object.entries(options)) list.append(html("option", { value }, label));
    list.value = chosen[name];
    list.addEventListener("change", () => { chosen[name] = list.value; update(); });
    return html("div", { class: "choice" }, html("label", { for: list.id }, title), list);
  }

  function radios(name, title, options) {
    const group = html("fieldset", { class: "choice" }, html("legend", {}, title));
    for (const [value, label] of Object.entries(options)) {
      const button = html("input", { type: "radio", name: `explorer-${name}`, value, id: `explorer-${name}-${value}` });
      button.checked = chosen[name] === value;
      button.addEventListener("change", () => { chosen[name] = value; update(); });
      group.append(html("span", {}, button, html("label", { for: button.id }, label)));
    }
    return group;
  }

  function slider() {
    const range = html("input", {
      type: "range", id: "explorer-bits", min: data.bits[0], max: data.bits.at(-1), step: 1, value: chosen.bits,
    });
    const shown = html("output", { for: range.id, "aria-live": "off" }, String(chosen.bits));
    range.addEventListener("input", () => { shown.value = chosen.bits = Number(range.value); update(); });
    return html("div", { class: "choice" }, html("label", { for: range.id }, "Bits per level: ", shown), range);
  }

  const result = html("p", { class: "result", role: "status", "aria-live": "polite" });
  const note = html("p", { class: "note" });
  const split = html("div", { class: "chart split" });
  const trade = html("div", { class: "chart trade" });
  const bars = html("div", { class: "chart bars" });
  const panel = (title, chart, words) => html("section", {}, html("h2", {}, title), chart, html("p", { class: "note" }, words));
  const panels = html("div", { class: "panels" },
    panel("Where the bytes go", split, "Above what is chosen, below the baseline at the same bits per level and with the same coder."),
    panel("Size against accuracy", trade, "One line per method, one point per bit width. A ring marks what is chosen."),
    panel("Levels", bars, "Bars: the levels of the chosen method's file, from the least to the greatest. Line: those of the baseline's."));
  const missing = html("pre", { class: "missing", tabindex: "0", "aria-label": "Commands that make this run" });
  place.append(
    html("form", { class: "choices", "aria-label": "What to show" },
      select("network", "Network", data.networks), select("dataset", "Data set", data.datasets),
      select("curve", "Method", data.curves), slider(), radios("loop", "Loop", LOOPS), radios("coder", "Coder", CODERS)),
    result, missing, panels, note);
  place.querySelector("form").addEventListener("submit", (event) => event.preventDefault());

  function update() {
    const found = way();
    for (const loop of place.querySelectorAll("[name='explorer-loop']")) loop.disabled = chosen.curve === "baseline";
    panels.hidden = note.hidden = !found;
    missing.hidden = Boolean(found) || !data.missing[`${chosen.network} ${chosen.dataset}`];
    missing.textContent = data.missing[`${chosen.network} ${chosen.dataset}`] || "";
    const where = `${data.networks[chosen.network]} on ${data.datasets[chosen.dataset]}`;
    if (!found) {
      result.textContent = `No run of ${where} for ${data.curves[chosen.curve]} yet.` + (missing.hidden ? "" : " These commands make them:");
      return;
    }
    const point = pointOf(found);
    const size = bytes(point);
    const beside = point.of_baseline;
    result.replaceChildren(
      html("strong", {}, `${number(size / 1000, 2)} kB`), ` (${number((8 * size) / found.weights, 2)} bits per weight`,
      beside ? `, ${number(beside[chosen.coder], 3)} of the baseline), ` : "), ",
      html("strong", {}, `${number(point.accuracy, 2)} %`), " top-1",
      beside && chosen.curve !== "baseline" ? `, ${signed(beside.points, 2)} points against the baseline, seed by seed` : "",
      `; ${number(point.zeros, 1)} % of the levels are zero.`);
    const share = (100 * found.weights) / found.parameters;
    note.textContent =
      `${where}, ${found.runs === 1 ? "one run" : `mean of ${found.runs} runs`}` +
      (point.spread === null ? "" : `, standard deviation of accuracy ${number(point.spread, 2)}`) +
      `; ${number(found.trained, 2)} % before compression. The file holds the depthwise kernels, ` +
      `${number(share, 1)} % of the network's ${number(found.parameters, 0)} parameters.`;
    for (const [chart, draw] of [[split, drawSplit], [trade, drawTrade], [bars, drawBars]]) {
      if (chart.clientWidth) chart.replaceChildren(draw(Math.floor(chart.clientWidth)));
    }
  }

  function drawSplit(width) {
    const rows = [[data.curves[chosen.curve], pointOf(way())]];
    if (way("baseline") && chosen.curve !== "baseline") rows.push([data.curves.baseline, pointOf(way("baseline"))]);
    const most = Math.max(...rows.map(([, point]) => bytes(point)));
    const root = svg("svg", { viewBox: `0 0 ${width} 150`, width, height: 150, role: "img", "aria-label": split.dataset.label || "" });
    rows.forEach(([title, point], row) => {
      const y = 20 + 56 * row;
      root.append(text(0, y - 6, `${title}: ${number(bytes(point) / 1000, 2)} kB`, { class: "label" }));
      let x = 0;
      point[chosen.coder].forEach((part, i) => {
        const wide = (part / most) * width;
        if (part) root.append(svg("rect", { class: `part-${i}`, x, y, width: Math.max(wide - 1, 0.5), height: 26 }));
        x += wide;
      });
    });
    const parts = rows[0][1][chosen.coder];
    root.setAttribute("aria-label", `Bytes of ${rows[0][0]}: ` + PARTS.map((part, i) => `${part} ${number(parts[i], 0)}`).join(", "));
    root.setAttribute("height", 56 * rows.length);
    root.setAttribute("viewBox", `0 0 ${width} ${56 * rows.length}`);
    const legend = html("ul", { class: "legend" });
    PARTS.forEach((part, i) => legend.append(
      html("li", {}, html("span", { class: `swatch part-${i}`, "aria-hidden": "true" }), `${part} ${number(parts[i], 0)} B`)));
    return html("div", {}, root, legend);
  }

  function drawTrade(width) {
    const curves = Object.keys(data.curves).filter((curve) => way(curve));
    const all = curves.flatMap((curve) => way(curve).points);
    const best = Math.max(...all.map((point) => point.accuracy));
    const floor = Math.max(0, 10 * Math.floor((Math.min(best - 12, pointOf(way()).accuracy) - 0.5) / 10));
    const { root, x, y, area } = Figures.axes({
      width, height: 250, xs: [0, 1.05 * Math.max(...all.map(bytes)) / 1000], ys: [floor, Math.ceil(best + 1)],
      xLabel: "file (kB)", yLabel: "top-1 accuracy (%)",
      label: `Accuracy against kilobytes for ${curves.map((curve) => data.curves[curve]).join(", ")}`,
    });
    const id = "explorer-clip";
    root.append(svg("clipPath", { id }, svg("rect", {
      x: area.left - 8, y: area.top - 8, width: area.right - area.left + 16, height: area.bottom - area.top + 8 })));
    for (const curve of [...curves.filter((name) => name !== chosen.curve), chosen.curve]) {
      const points = way(curve).points.map((point) => [x(bytes(point) / 1000), y(point.accuracy)]);
      const group = svg("g", { class: `curve ${curve}${curve === chosen.curve ? " chosen" : ""}`, "clip-path": `url(#${id})` });
      group.append(svg("polyline", { points: points.map((at) => at.join()).join(" ") }));
      for (const [cx, cy] of points) group.append(svg("circle", { cx, cy, r: 3 }));
      root.append(group);
    }
    const point = pointOf(way());
    root.append(svg("circle", { class: "ring", cx: x(bytes(point) / 1000), cy: y(point.accuracy), r: 8 }));
    const legend = html("ul", { class: "legend" });
    for (const curve of curves) {
      legend.append(html("li", {}, html("span", { class: `swatch ${curve}`, "aria-hidden": "true" }), data.curves[curve]));
    }
    return html("div", {}, root, legend);
  }

  function drawBars(width) {
    const point = pointOf(way());
    const before = way("baseline") && pointOf(way("baseline"));
    const last = (point.shares.length - 1) / 2;
    const reach = 2 ** (chosen.bits - 1) - 1;
    const edge = reach + point.width / 2;
    const most = Math.max(...point.shares, ...(before ? before.shares : [])) / 100;
    const { root, x, y, area } = Figures.axes({
      width, height: 230, xs: [-edge, edge], ys: [0, 1.08 * most], xTicks: [-reach, 0, reach],
      xLabel: "level", yLabel: point.width === 1 ? "share of levels (%)" : `share of levels (%), ${point.width} levels per bar`,
      label: `Histogram of levels from −${reach} to ${reach}: ${number(point.zeros, 1)} % are zero`,
    });
    const [from, to] = [(bar) => x((bar - last - 0.5) * point.width), (bar) => x((bar - last + 0.5) * point.width)];
    point.shares.forEach((share, bar) => {
      const top = y(share / 100);
      root.append(svg("rect", { class: `bar ${chosen.curve}`, x: from(bar), y: top, width: Math.max(to(bar) - from(bar) - 0.6, 0.6), height: area.bottom - top }));
    });
    if (before && chosen.curve !== "baseline") {
      const path = before.shares.map((share, bar) => `L${from(bar)} ${y(share / 100)}H${to(bar)}`).join("");
      root.append(svg("path", { class: "outline", d: `M${from(0)} ${area.bottom}${path}V${area.bottom}` }));
    }
    return root;
  }

  for (const chart of [split, trade, bars]) Figures.fit(chart, update);
  update();
})();
