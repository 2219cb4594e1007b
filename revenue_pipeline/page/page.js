// Shows what the page holds: every number was computed and written by the pipeline, nothing is calculated here.
const data = JSON.parse(document.getElementById("data").textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Numbers are written with separators of thousands; only colours and sorting need them as numbers.
function numberOf(text) {
  return text === null || text === "" ? NaN : Number(text.replaceAll(",", "").replace("%", ""));
}

// The cohort table ---------------------------------------------------------------------------------------------------

const cohorts = data.cohorts;
const chosen = { metric: "revenue", view_type: "cumulative", granularity: "day" };
const choices = { metric: cohorts.metrics, granularity: cohorts.granularities, view_type: cohorts.view_types };
for (const name of ["start_event", "revenue_event"]) {
  choices[name] = cohorts[name + "s"].map((event) => ({ name: event, title: event.replaceAll("_", " ") }));
  chosen[name] = cohorts[name + "s"][0];
}
const titles = {
  metric: "Metric", granularity: "Cohorts by", view_type: "View", start_event: "Start event", revenue_event: "Revenue event",
};

function showControls() {
  const form = document.getElementById("controls");
  for (const [name, options] of Object.entries(choices)) {
    const box = element("div", { class: "choices" });
    for (const option of options) {
      const input = element("input", { type: "radio", name, value: option.name });
      input.checked = chosen[name] === option.name;
      box.append(element("label", {}, input, option.title));
    }
    form.append(element("fieldset", {}, element("legend", {}, titles[name]), box));
  }
  form.addEventListener("change", (event) => {
    chosen[event.target.name] = event.target.value;
    showCohorts();
  });
}

function showCohorts() {
  const metric = cohorts.metrics.find((each) => each.name === chosen.metric);
  // A metric with one view shows that one; what was chosen comes back with the next metric.
  const view = metric.view_types.includes(chosen.view_type) ? chosen.view_type : metric.view_types[0];
  for (const input of document.querySelectorAll("input[name=view_type]")) {
    input.disabled = !metric.view_types.includes(input.value);
    input.checked = input.value === view;
  }
  document.getElementById("meaning").textContent = metric.meaning;
  const report = cohorts.reports.find((each) =>
    each.view_type === view && ["granularity", "start_event", "revenue_event"].every((name) => each[name] === chosen[name]));
  const table = document.getElementById("cohort-table");
  table.replaceChildren();
  if (!report || report.rows.length === 0) {
    table.append(element("tbody", {}, element("tr", {}, element("td", { class: "empty" }, "No cohort in these days."))));
  } else {
    showTriangle(table, report, metric);
  }
  showCharts();
}

function showTriangle(table, report, metric) {
  const periods = Math.max(...report.rows.flatMap((row) => row.cells.map((cell) => cell.period))) + 1;
  const unit = chosen.granularity;
  const head = element("tr", {}, element("th", { scope: "col" }, "Cohort"));
  for (const beside of metric.beside) head.append(element("th", { scope: "col" }, beside.title));
  for (let n = 0; n < periods; n++) head.append(element("th", { scope: "col" }, `${unit[0].toUpperCase()}${unit.slice(1)} ${n}`));
  const body = element("tbody");
  const values = report.rows.filter((row) => row.kind === "sub").flatMap((row) => row.cells.map((cell) => numberOf(cell[metric.name])));
  const largest = Math.max(0, ...values.filter((value) => !Number.isNaN(value)));
  for (const row of report.rows) {
    const line = element("tr", { class: row.kind }, element("th", { scope: "row" }, row.kind === "top" ? "All" : row.cohort));
    for (const beside of metric.beside) line.append(element("td", {}, row[beside.name] ?? ""));
    for (let n = 0; n < periods; n++) {
      const cell = row.cells.find((each) => each.period === n);
      const text = cell?.[metric.name] ?? null;
      const shown = element("td", {}, text ?? (cell ? "–" : ""));
      if (cell && row.kind === "sub" && largest > 0) {
        shown.classList.add("heat");
        shown.style.setProperty("--share", Math.max(0, numberOf(text) || 0) / largest);
      }
      if (cell?.is_partial) shown.classList.add("running");
      line.append(shown);
    }
    body.append(line);
  }
  table.append(element("thead", {}, head), body);
}

function showCharts() {
  const box = document.getElementById("cohort-charts");
  box.replaceChildren();
  for (const chart of cohorts.charts) {
    if (["granularity", "start_event"].some((name) => chart[name] !== chosen[name])) continue;
    const figure = element("figure", {}, element("figcaption", {}, chart.title));
    figure.insertAdjacentHTML("beforeend", chart.svg);
    box.append(figure);
  }
}

// The other reports --------------------------------------------------------------------------------------------------

function showReport(report) {
  const table = element("table");
  const body = element("tbody");
  const head = element("tr");
  report.columns.forEach((column, index) => {
    const sort = element("button", { class: "sort", type: "button" }, column.name.replaceAll("_", " "));
    sort.addEventListener("click", () => sortBy(body, index, column.is_number));
    head.append(element("th", { scope: "col", class: column.is_number ? "" : "text", title: column.meaning }, sort));
  });
  for (const row of report.rows) {
    const cells = row.map((value, index) => element("td", { class: report.columns[index].is_number ? "" : "text" }, value ?? "–"));
    body.append(element("tr", {}, ...cells));
  }
  table.append(element("thead", {}, head), body);
  const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": report.title }, table);
  const section = element("section", { id: report.name }, element("h2", {}, report.title), element("p", { class: "about" }, report.about));
  section.append(report.rows.length ? scroll : element("p", { class: "empty" }, "Nothing in these days."));
  if (report.chart) {
    const figure = element("figure");
    figure.insertAdjacentHTML("beforeend", report.chart);
    section.append(element("div", { class: "charts" }, figure));
  }
  document.getElementById("reports").append(section);
}

function sortBy(body, index, isNumber) {
  const value = (row) => row.children[index].textContent;
  const direction = body.dataset.sorted === String(index) ? -1 : 1;
  body.dataset.sorted = direction === 1 ? index : "";
  const compare = isNumber
    ? (a, b) => (numberOf(value(a)) || 0) - (numberOf(value(b)) || 0)
    : (a, b) => value(a).localeCompare(value(b));
  body.append(...[...body.children].sort((a, b) => direction * compare(a, b)));
}

document.getElementById("as-of").textContent = data.as_of;
showControls();
showCohorts();
data.reports.forEach(showReport);
for (const section of document.querySelectorAll("section")) {
  document.getElementById("sections").append(element("a", { href: "#" + section.id }, section.querySelector("h2").textContent));
}
