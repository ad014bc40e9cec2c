// Drawings: what is pointed at or focused is said in words under them; arrow keys move along. Tables: headings sort. Without this script all of it can be read.
(() => {
  "use strict";

  for (const drawing of document.querySelectorAll("[data-points]")) {
    const leftOf = point => point.getBoundingClientRect().left;
    const points = [...drawing.querySelectorAll("[data-point]")];
    if (!("inOrder" in drawing.dataset)) points.sort((a, b) => leftOf(a) - leftOf(b));
    const readout = document.getElementById(drawing.dataset.points);
    const show = point => {
      readout.textContent = point.getAttribute("aria-label");
      for (const other of points) other.classList.toggle("shown", other === point);
    };
    const nearest = event => {
      let best = null, least = Infinity;
      for (const point of points) {
        const box = (point.querySelector(".mark") ?? point).getBoundingClientRect();
        const distance = Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
        if (distance < least) [best, least] = [point, distance];
      }
      return best;
    };
    const focus = point => {
      for (const other of points) other.setAttribute("tabindex", other === point ? "0" : "-1");
      point.focus();
    };

    // The browser's own tips would lie over the words.
    for (const title of drawing.querySelectorAll("[data-point] > title")) title.remove();
    drawing.addEventListener("pointermove", event => { const point = nearest(event); if (point) show(point); });
    drawing.addEventListener("focusin", event => { const point = event.target.closest("[data-point]"); if (point) show(point); });
    drawing.addEventListener("keydown", event => {
      const at = points.indexOf(document.activeElement);
      const steps = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: points.length - 1 };
      if (at < 0 || !(event.key in steps)) return;
      event.preventDefault();
      focus(points[Math.min(points.length - 1, Math.max(0, steps[event.key]))]);
    });
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    const valueOf = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const isNumber = heading.classList.contains("number");
        const rows = [...body.rows].map(row => [row, valueOf(row, column)]);
        rows.sort(([, a], [, b]) => sign * (isNumber ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true })));
        body.append(...rows.map(([row]) => row));
      });
    });
  }
})();
