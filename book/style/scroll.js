// Whatever scrolls in its own box can be reached, and so scrolled, by keyboard.
"use strict";

{
  const boxes = document.querySelectorAll(".bd-article :is(.cell_output, .text_html, div.math, figure, .interactive pre)");
  const mark = () => {
    for (const box of boxes) if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
  };
  addEventListener("load", mark);
  addEventListener("resize", mark);
}
