// Theme, search, a cursor over the charts, and cards that are fetched when they come into sight. Everything can be read without.
"use strict";
{
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  for (const button of all("[data-theme-switch]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
  }

  for (const input of all("input[data-search]")) {
    input.closest("p").hidden = false;
    const rows = all("tbody", document.getElementById(input.dataset.search));
    const found = document.getElementById(input.dataset.search + "-found");
    const words = rows.map((row) => (row.dataset.words || row.textContent).toLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        row.hidden = !wanted.every((word) => words[at].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      found.textContent = wanted.length ? `${shown} of ${rows.length}` : "";
    });
  }

  // The stops of a chart are the rows of its table: the figures are there once.
  const enliven = (figure) => {
    const plot = figure.querySelector(".plot");
    const svg = plot && plot.querySelector("svg");
    const stops = (figure.dataset.stops || "").split(" ").filter(Boolean).map(Number);
    if (!svg || !stops.length) return;
    const tip = document.createElement("output");
    tip.className = "tip";
    plot.after(tip);
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}: arrow keys walk along the values`);
    const head = all("thead th", figure).map((cell) => cell.textContent);
    const rows = all("tbody tr", figure);
    const cursor = document.createElementNS(svg.namespaceURI, "path");
    cursor.setAttribute("class", "cursor");
    svg.append(cursor);
    let at = -1;
    const show = (next) => {
      at = Math.max(0, Math.min(stops.length - 1, next));
      const { y, height } = svg.viewBox.baseVal;
      cursor.setAttribute("d", `M${stops[at]} ${y}V${y + height - 22}`);
      const cells = all("td", rows[at]).map((cell) => cell.textContent);
      tip.textContent = cells
        .map((cell, column) => (column && cell !== "–" ? `${head[column]} ${cell}` : column ? "" : cell))
        .filter((cell) => cell.trim())
        .join(" · ");
    };
    const hide = () => {
      at = -1;
      cursor.removeAttribute("d");
      tip.textContent = "";
    };
    // On a phone a card begins with what is newest.
    if (figure.closest(".card, article")) plot.scrollLeft = plot.scrollWidth;
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: at + 1, ArrowLeft: at < 0 ? stops.length - 1 : at - 1, Home: 0, End: stops.length - 1 }[event.key];
      if (step !== undefined) show(step);
      else if (event.key === "Escape") hide();
      else return;
      event.preventDefault();
    });
    plot.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const far = stops.map((stop) => Math.abs(stop - x));
      show(far.indexOf(Math.min(...far)));
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
  };
  all("figure[data-stops]").forEach(enliven);

  // The addressed card, until the reader moves: cards above it take their height only when they are loaded.
  let held = null;
  for (const move of ["wheel", "keydown", "pointerdown", "touchstart"]) addEventListener(move, () => (held = null), { passive: true });

  // A card is a page of its own; here its contents are taken over when it comes near. Parsed, never run.
  const load = async (card) => {
    const link = card.querySelector("a[data-card]");
    if (!link || card.dataset.loaded) return;
    card.dataset.loaded = "yes";
    try {
      const answer = await fetch(link.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const parts = all("article > :not(h1)", page).map((part) => document.importNode(part, true));
      card.querySelector("[data-place]").replaceChildren(...parts);
      all("figure[data-stops]", card).forEach(enliven);
      if (held) held.scrollIntoView();
    } catch {
      // Opened as a file or offline: the link to the card's own page stays.
    }
  };
  const cards = all(".card");
  if (cards.length && location.protocol !== "file:") {
    const near = new IntersectionObserver(
      (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => load(entry.target)),
      { rootMargin: "400px" },
    );
    cards.forEach((card) => near.observe(card));
    const address = async () => {
      const card = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!card || !card.matches(".card")) return;
      held = card;
      card.scrollIntoView();
      await load(card);
    };
    addEventListener("hashchange", address);
    address();
  }

  // What is linked to or printed must not be folded away.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) target.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", () => all("details.endpoint").forEach((fold) => (fold.open = true)));
}
