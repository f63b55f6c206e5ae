// Tables sort on a click on a title: numbers by their full value, empty cells last; a second click turns the order.
for (const table of document.querySelectorAll("table")) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => sort(table, titles, column));
  });
}

function sort(table, titles, column) {
  const title = titles[column];
  const descending = title.getAttribute("aria-sort") === "ascending";
  titles.forEach((other) => other.removeAttribute("aria-sort"));
  title.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [key(row.cells[column]), row]);
  keyed.sort(([a], [b]) => compare(a, b, descending ? -1 : 1));
  body.append(...keyed.map(([, row]) => row));
}

function key(cell) {
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text === "–" ? null : text;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  if (typeof a === "string") return sign * a.localeCompare(b, undefined, { numeric: true });
  return a === b ? 0 : sign * (a < b ? -1 : 1);
}
