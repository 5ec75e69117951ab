// What the interactive figures share: elements, numbers, and a chart that is as wide as its place.
"use strict";

const Figures = {
  // An HTML element with attributes and children (text or elements).
  html(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  },

  // The same in an SVG.
  svg(name, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  },

  text(x, y, content, attributes = {}) {
    return Figures.svg("text", { x, y, ...attributes }, content);
  },

  // A true minus, and the digits asked for.
  number(value, digits) {
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  },

  signed(value, digits) {
    return (value < 0 ? "" : "+") + Figures.number(value, digits);
  },

  // Steps of 1, 2 or 5 that divide `low` to `high` into about `count` parts.
  ticks(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) found.push(Number(at.toPrecision(12)));
    return found;
  },

  // An SVG with axes: { root, x(value), y(value), area } for data from `xs` to `ys`, drawn `width` pixels wide.
  axes({ width, height, xs, ys, xLabel, yLabel, label, yTicks = 4, xTicks }) {
    const { svg, text } = Figures;
    const area = { left: 46, right: width - 12, top: 26, bottom: height - 40 };
    const x = (value) => area.left + ((value - xs[0]) / (xs[1] - xs[0])) * (area.right - area.left);
    const y = (value) => area.bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (area.bottom - area.top);
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
    for (const tick of Figures.ticks(ys[0], ys[1], yTicks)) {
      root.append(svg("line", { class: "grid", x1: area.left, x2: area.right, y1: y(tick), y2: y(tick) }));
      root.append(text(area.left - 6, y(tick) + 4, String(tick), { class: "tick", "text-anchor": "end" }));
    }
    for (const tick of xTicks || Figures.ticks(xs[0], xs[1], Math.max(3, Math.round(width / 110)))) {
      root.append(text(x(tick), area.bottom + 16, String(tick).replace("-", "−"), { class: "tick", "text-anchor": "middle" }));
    }
    root.append(svg("line", { class: "axis", x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
    root.append(text((area.left + area.right) / 2, height - 6, xLabel, { class: "label", "text-anchor": "middle" }));
    root.append(text(0, 14, yLabel, { class: "label" }));
    return { root, x, y, area };
  },

  // Call `draw(width)` now and whenever the place is of another width.
  fit(place, draw) {
    let drawn = 0;
    new ResizeObserver(() => {
      const width = Math.floor(place.clientWidth);
      if (width && width !== drawn) draw((drawn = width));
    }).observe(place);
  },
};
