// The list of documents, which grows as it is scrolled, and the table of relations.

const CHUNK = 100;
let items = new Map();
let order = [];

function drawList() {
  const rows = listed();
  order = rows.map(([one]) => one);
  items = new Map();
  const list = make("ul");
  const more = make("li", { "aria-hidden": "true", class: "hint" }, "...");
  let next = 0;
  const add = () => {
    more.remove();
    for (const [one, count] of rows.slice(next, next + CHUNK)) {
      const item = drawItem(one, count);
      items.set(one, item);
      list.append(make("li", {}, item));
    }
    next += CHUNK;
    if (next < rows.length) list.append(more);
  };
  add();
  // asks again after each chunk, for a list that is still too short for its box
  const grow = (seen) => {
    if (!seen.some(({ isIntersecting }) => isIntersecting) || next >= rows.length) return;
    add();
    watch.unobserve(more);
    if (next < rows.length) watch.observe(more);
  };
  const watch = new IntersectionObserver(grow, { root: byId("list"), rootMargin: "300px" });
  if (next < rows.length) watch.observe(more);
  const total = `${rows.length.toLocaleString("en")} of ${DOCUMENTS.length.toLocaleString("en")} documents`;
  byId("list").replaceChildren(make("p", { class: "hint" }, total), list);
  markCurrent();
}

function drawItem(one, count) {
  return make(
    "button",
    { type: "button", onclick: () => open(one), onkeydown: walk },
    foreign(one.id, { class: "title" }),
    make(
      "span",
      { class: "numbers" },
      one.judged ? make("span", {}, `F1 ${percent(one.f1)}`) : null,
      VERDICTS_HERE.map((verdict) => tally(verdict, one.counts[verdict])),
      isFiltered() ? make("span", {}, `${count} shown`) : null,
    ),
  );
}

/** Go up and down the list with the arrow keys. */
function walk(event) {
  const step = { ArrowDown: "nextSibling", ArrowUp: "previousSibling" }[event.key];
  const target = step && event.currentTarget.parentNode[step]?.querySelector("button");
  if (!target) return;
  event.preventDefault();
  target.focus();
}

function open(one) {
  change({ doc: one.id, entity: "", triple: "" });
  const article = byId("document");
  const { top } = article.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) article.scrollIntoView();
}

/** The document that is asked for, else the first of the list. */
const current = () =>
  DOCUMENTS.find((one) => one.id === state.doc) ?? order[0] ?? DOCUMENTS[0];

function markCurrent() {
  const one = current();
  for (const [other, item] of items) {
    if (other === one) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
  const item = items.get(one);
  const box = byId("list");
  if (!item) return;
  const [inner, outer] = [item.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom)
    box.scrollTop += inner.top - outer.top - outer.height / 3;
}

// --- relations ------------------------------------------------------------------------------------

const NUMBERS = {
  f1: "F1",
  precision: "P",
  recall: "R",
  gold: "gold",
  predicted: "predicted",
  true: "true",
  false: "false",
  missed: "missed",
};

function relationRows() {
  const rows = DATA.relations.map((one) => ({
    ...one,
    ...rates(one),
    gold: one.true + one.missed,
    predicted: one.true + one.false + one.unjudged,
    shown: one.description || one.name,
  }));
  const falling = state.by.startsWith("-");
  const key = falling ? state.by.slice(1) : state.by;
  const value = (row) => (key in NUMBERS ? (row[key] ?? -1) : row.shown);
  rows.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  return falling ? rows.reverse() : rows;
}

function drawRelations() {
  const heads = Object.entries({ name: "Relation", ...NUMBERS }).map(([key, title]) => {
    const sorted = { [key]: "ascending", [`-${key}`]: "descending" }[state.by];
    const click = () => {
      change({ by: state.by === `-${key}` || (key === "name" && state.by !== key) ? key : `-${key}` });
      byId("relations").querySelector(`[data-by="${key}"]`).focus();
    };
    const arrow = { ascending: " ▲", descending: " ▼" }[sorted] ?? "";
    return make(
      "th",
      { scope: "col", "aria-sort": sorted ?? "none" },
      make(
        "button",
        { type: "button", "data-by": key, onclick: click },
        title,
        make("span", { "aria-hidden": "true" }, arrow),
      ),
    );
  });
  const rows = relationRows().map((row) => {
    const choose = () => change({ relation: row.name, view: "documents", doc: "", entity: "", triple: "" });
    const numbers = Object.keys(NUMBERS).map((key) => {
      const share = key === "f1" || key === "precision" || key === "recall";
      return make("td", {}, share ? percent(row[key]) : row[key].toLocaleString("en"));
    });
    const button = make("button", { type: "button", class: "link", onclick: choose }, relationName(row));
    return make("tr", {}, make("th", { scope: "row" }, button), numbers);
  });
  byId("relations").replaceChildren(
    make("p", { class: "hint" }, "Percent, and numbers of triples. A relation opens the documents that have it."),
    make(
      "div",
      { class: "scroll" },
      make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)),
    ),
  );
}
