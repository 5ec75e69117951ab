// The page that looks into an .ilwp file: of the reader, or the example that is in the page. Nothing leaves the browser.
"use strict";

(() => {
  const { html, svg, text, number } = Figures;
  const place = document.querySelector("[data-scripts~='reader.js']");
  const example = JSON.parse(place.querySelector("script").textContent);
  const PARTS = ["levels", "depthwise kernels", "exact", "names and header", "codebooks", "first layer"];
  let shown = null;
  let asked = 0; // of files, so that a slow one does not replace a later one

  const input = html("input", { type: "file", id: "reader-file", accept: ".ilwp" });
  const again = html("button", { type: "button" }, "Show the example");
  const drop = html("div", { class: "choices drop", role: "group", "aria-label": "File" },
    html("div", { class: "choice" }, html("label", { for: input.id }, "Choose an .ilwp file, or drop one here"), input), again);
  const result = html("p", { class: "result", role: "status", "aria-live": "polite" });
  const chart = html("div", { class: "chart split" });
  const table = html("div", { class: "tensors", tabindex: "0", role: "region", "aria-label": "Tensors of the file" });
  place.append(drop, result, chart, table);

  input.addEventListener("change", () => input.files.length && open(input.files[0]));
  again.addEventListener("click", () => { input.value = ""; showExample(); });
  for (const type of ["dragenter", "dragover"]) place.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const type of ["dragleave", "drop"]) place.addEventListener(type, () => drop.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });

  async function open(file) {
    let content;
    try {
      content = new Uint8Array(await file.arrayBuffer());
    } catch {
      say(file.name, "The browser could not read this file.");
      return;
    }
    show(file.name, content);
  }

  function showExample() {
    show(example.name, Uint8Array.from(atob(example.content), (letter) => letter.charCodeAt(0)));
  }

  function say(name, problem) {
    shown = null;
    chart.replaceChildren();
    table.replaceChildren();
    result.replaceChildren(html("strong", {}, name), `: ${problem}`);
  }

  async function show(name, bytes) {
    const mine = ++asked;
    let found, problem;
    try {
      found = await IlwpFile.read(bytes);
    } catch (error) {
      problem = error.message;
    }
    if (mine !== asked) return;
    if (problem) {
      say(name, problem);
      return;
    }
    shown = found;
    const weights = found.tensors.reduce((sum, tensor) => sum + (tensor.kind === "shared" ? 0 : IlwpFile.count(tensor.shape)), 0);
    const damaged = found.tensors.find((tensor) => tensor.part?.damaged);
    result.replaceChildren(
      html("strong", {}, name), `: ${number(found.bytes, 0)} bytes, format ${found.version}. ` +
      `${number(found.tensors.length, 0)} tensors with ${number(weights, 0)} numbers, so ${number((8 * found.bytes) / Math.max(weights, 1), 2)} bits per number. ` +
      (damaged ? `Damaged: the checksum of ${damaged.name} is wrong.` : "All checksums are right."));
    chart.replaceChildren(...(chart.clientWidth ? [bar(Math.floor(chart.clientWidth))] : []));
    table.replaceChildren(list(found));
  }

  // One bar of the whole file, in the kinds of its parts.
  function bar(width) {
    const sums = PARTS.map((kind) => shown.parts.filter((part) => part.kind === kind).reduce((sum, part) => sum + part.bytes, 0));
    const share = (bytes) => `${number((100 * bytes) / shown.bytes, 1)} %`;
    const root = svg("svg", { viewBox: `0 0 ${width} 48`, width, height: 48, role: "img",
      "aria-label": "Where the bytes go: " + PARTS.map((kind, i) => `${kind} ${share(sums[i])}`).filter((_, i) => sums[i]).join(", ") });
    root.append(text(0, 14, "Where the bytes go", { class: "label" }));
    const legend = html("ul", { class: "legend" });
    let x = 0;
    sums.forEach((bytes, i) => {
      if (!bytes) return;
      const wide = (bytes / shown.bytes) * width;
      root.append(svg("rect", { class: `kind-${i}`, x, y: 20, width: Math.max(wide - 1, 0.5), height: 26 }));
      legend.append(html("li", {}, html("span", { class: `swatch kind-${i}`, "aria-hidden": "true" }), `${PARTS[i]} ${number(bytes, 0)} B, ${share(bytes)}`));
      x += wide;
    });
    return html("div", {}, root, legend);
  }

  function list(found) {
    const head = ["tensor", "shape", "type", "stored as", "bytes"].map((title) => html("th", { scope: "col" }, title));
    const counted = new Set();
    const size = ({ part }) => (part ? part.bytes / part.tensors : 0);
    const rows = [...found.tensors].sort((a, b) => size(b) - size(a)).map((tensor) => {
      const part = tensor.part;
      let bytes = "in the index";
      if (part && part.tensors === 1) bytes = number(part.bytes, 0);
      else if (part) bytes = counted.has(part) ? "with those above" : `${number(part.bytes, 0)} for ${part.tensors} tensors`;
      counted.add(part);
      const stored = `${tensor.kind}${tensor.note ? `: ${tensor.note}` : ""}${part?.damaged ? " (damaged)" : ""}`;
      return html("tr", {}, ...[tensor.name, tensor.shape.join(" × ") || "one number", tensor.type, stored, bytes].map((cell) => html("td", {}, cell)));
    });
    return html("table", { class: "table" }, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
  }

  Figures.fit(chart, (width) => shown && chart.replaceChildren(bar(width)));
  showExample();
})();
