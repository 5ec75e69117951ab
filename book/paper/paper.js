// The book's one page becomes a paper: title, abstract, the chapters that are named, and nothing that needs a screen.
(chapters) => {
  const paper = document.createElement("article");
  paper.className = "bd-article paper";

  const anchors = chapters.map((name) => document.getElementById(`document-${name}`));
  const bodies = anchors.map((anchor) => anchor.nextElementSibling);
  const front = document.querySelector(".bd-article > section");
  const title = document.createElement("h1");
  title.textContent = document.title;
  const authors = document.createElement("p");
  authors.className = "authors";
  authors.textContent = document.querySelector("meta[name=author]")?.content ?? "the ilwp contributors";
  const abstract = document.createElement("h3");
  abstract.textContent = front.querySelector("h1").firstChild.textContent;
  const guide = front.querySelector("#how-to-read");
  const runs = document.createElement("p");
  runs.append(...guide.querySelector("li:last-child > p").childNodes);
  guide.remove();
  front.querySelector("h1").remove();
  front.className = "front";
  paper.append(title, authors, abstract, front, runs);

  for (const [place, chapter] of bodies.entries()) {
    chapter.classList.add("chapter");
    const text = document.createElement("div");
    text.className = "text";
    text.append(...[...chapter.childNodes].filter((node) => node.nodeName !== "H2"));
    chapter.append(text);
    paper.append(anchors[place], chapter);
  }
  document.body.replaceChildren(paper);

  const screen = [
    "details.figure-note", "details.hide", ".cell_input", ".interactive", ".screen-only", ".tag_screen-only", ".headerlink", ".copybtn",
    ".definition", ".toctree-wrapper", "script", "noscript",
  ];
  paper.querySelectorAll(screen.join()).forEach((element) => element.remove());
  paper.querySelectorAll("details").forEach((details) => (details.open = true));

  // a link to a page of the site leads to its chapter; what is not in the paper is plain text
  for (const link of paper.querySelectorAll("a[href]")) {
    const address = link.getAttribute("href");
    const beside = /^([\w-]+)\.html$/.exec(address);
    if (beside) link.setAttribute("href", `#document-notebooks/${beside[1]}`);
    const target = link.getAttribute("href");
    if (/^[a-z]+:/.test(target)) continue;
    if (!target.startsWith("#") || !document.getElementById(decodeURIComponent(target.slice(1)))) {
      link.replaceWith(...link.childNodes);
    }
  }

  // where a network, a data set or a run comes from is told once
  const origins = [...paper.querySelectorAll("table")].filter((table) => table.caption?.textContent.includes("is made from"));
  origins.slice(1).forEach((table) => table.remove());

  // in two columns a table goes across both if it must; what is wider still is set smaller
  const [across, column] = [paper.clientWidth, (paper.clientWidth - 24) / 2];
  const wide = [...paper.querySelectorAll(".chapter table")].map((table) => [table, table.offsetWidth]);
  for (const [table, width] of wide) {
    const fits = width <= 1.2 * column ? column : across;
    if (fits === across) (table.closest(".cell_output, .pst-scrollable-table-container") ?? table).classList.add("across");
    if (width > fits) table.style.zoom = fits / width;
  }
  for (const formula of paper.querySelectorAll("div.math svg")) {
    const width = formula.getBoundingClientRect().width;
    if (width > column) formula.style.zoom = column / width;
  }
  paper.classList.add("columns");
}
