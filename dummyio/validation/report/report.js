"use strict";
document.documentElement.classList.add("js");

// Shows the title of a selected cell below the map: a touch screen shows no titles.
const readout = document.getElementById("readout");
let chosen = null;
document.querySelector(".map tbody")?.addEventListener("click", (event) => {
  const cell = event.target.closest("td");
  if (!cell) return;
  chosen?.classList.remove("chosen");
  chosen = cell;
  cell.classList.add("chosen");
  readout.textContent = cell.title;
});

for (const table of document.querySelectorAll(".data")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];

  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
      rows.sort((one, other) => (down ? -1 : 1) * key(one).localeCompare(key(other), "en", { numeric: true }));
      if (rows[0]?.cells[column].dataset.sort !== undefined)
        rows.sort((one, other) => (down ? -1 : 1) * (Number(key(one)) - Number(key(other))));
      body.append(...rows);
    });
  });

  if (rows.length > 8) {
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "filter by name";
    filter.setAttribute("aria-label", "filter by name");
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase();
      for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    });
    table.parentElement.before(filter);
  }
}
