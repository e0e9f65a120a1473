// Header, filters, and what is drawn again after which change.

function drawHeader() {
  const box = byId("scores");
  const number = (name, value) => make("span", { class: "score" }, `${name} `, make("strong", {}, value));
  const sum = (verdict) => DOCUMENTS.reduce((total, one) => total + one.counts[verdict], 0);
  const { scores, entities } = DATA;
  if (scores)
    box.append(
      number("F1", percent(scores.f1)),
      number("P", percent(scores.precision)),
      number("R", percent(scores.recall)),
    );
  box.append(
    ...VERDICTS_HERE.map((verdict) => badge(verdict, sum(verdict))),
    make("span", {}, `${DOCUMENTS.length.toLocaleString("en")} documents`),
  );
  if (entities) box.append(number("entities F1", percent(entities.f1)));
  byId("notes").append(...DATA.notes.map((note) => make("li", {}, foreign(note))));
  const line = (role, file, sum) => [`${role} `, foreign(file), " ", make("code", {}, sum)];
  const short = DATA.files.map(({ role, file, sha256 }) =>
    make("span", {}, line(role, file, sha256.slice(0, 12))),
  );
  const full = DATA.files.map(({ role, file, sha256 }) =>
    make("li", {}, line(role, file, `sha256 ${sha256}`)),
  );
  byId("files").append(
    make("summary", {}, short, make("span", {}, `docre ${DATA.docre}`)),
    make("ul", {}, full),
  );
}

function drawViews() {
  const link = (view, title) =>
    make(
      "button",
      { type: "button", "aria-current": state.view === view && "page", onclick: () => change({ view }) },
      title,
    );
  byId("views").replaceChildren(
    link("documents", "Documents"),
    link("relations", `Relations (${DATA.relations.length})`),
  );
  for (const section of document.querySelectorAll("[data-view]"))
    section.hidden = section.dataset.view !== state.view;
  byId("filters").hidden = state.view !== "documents";
}

function drawFilters() {
  const select = (key, label, options) =>
    make(
      "label",
      {},
      label,
      make(
        "select",
        { name: key, onchange: (event) => change({ [key]: event.target.value, triple: "" }) },
        options.map(([value, text]) => make("option", { value }, text)),
      ),
    );
  const relations = [...DATA.relations]
    .map(({ name, description }) => [name, description ? `${description} (${name})` : name])
    .sort(([, a], [, b]) => (a < b ? -1 : 1));
  const verdicts = VERDICTS_HERE.map((verdict) =>
    make(
      "label",
      { class: "check" },
      make("input", { type: "checkbox", name: "show", value: verdict, onchange: showChecked }),
      badge(verdict),
    ),
  );
  const form = byId("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(
    make(
      "label",
      {},
      "Search",
      make("input", { type: "search", name: "q", placeholder: "title or text", oninput: search }),
    ),
    select("sort", "Sort", Object.entries(ORDERS).map(([key, [title]]) => [key, title])),
    select("relation", "Relation", [["", "all"], ...relations]),
    select("distance", "Head and tail", [
      ["", "anywhere"],
      ["intra", "in one sentence"],
      ["inter", "across sentences"],
    ]),
    make("fieldset", {}, make("legend", { class: "unseen" }, "Verdicts shown"), verdicts),
    make(
      "button",
      {
        type: "button",
        onclick: () => change({ q: "", relation: "", distance: "", show: "", sort: "file", entity: "", triple: "" }),
      },
      "Reset",
    ),
  );
}

let typing = 0;

function search(event) {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q: event.target.value }), 120);
}

function showChecked() {
  const boxes = [...byId("filters").querySelectorAll("[name=show]")];
  const on = boxes.filter((box) => box.checked).map((box) => box.value);
  change({ show: on.length === boxes.length ? "" : on.join(",") || "none", triple: "" });
}

/** Let the filters say what the address says. */
function fillFilters() {
  const form = byId("filters");
  for (const key of ["q", "sort", "relation", "distance"])
    if (form.elements[key].value !== state[key]) form.elements[key].value = state[key];
  const on = state.show ? state.show.split(",") : VERDICTS_HERE;
  for (const box of form.querySelectorAll("[name=show]")) box.checked = on.includes(box.value);
}

const LIST = ["q", "sort", "relation", "show", "distance"];
const ROWS = ["relation", "show", "distance", "entity"];

drawn = (changed) => {
  const any = (keys) => keys.some((key) => changed.has(key));
  if (changed.has("view")) drawViews();
  if (any(LIST)) {
    fillFilters();
    drawList();
  }
  if (changed.has("by")) drawRelations();
  const one = current();
  if (!one) return;
  if (shown?.one !== one) {
    if (shown && !changed.has("doc")) Object.assign(state, { entity: "", triple: "" });
    markCurrent();
    drawDocument(one);
  } else {
    if (any(ROWS)) drawRows();
    if (any(ROWS) || changed.has("triple")) light();
    if (changed.has("entity") || changed.has("triple")) bringIntoView();
  }
  say(changed, one);
};

/** Tell those who listen what has happened. */
function say(changed, one) {
  const triple = state.triple === "" ? undefined : one.triples[state.triple];
  const entity = state.entity === "" ? undefined : one.entities[state.entity];
  byId("status").textContent =
    changed.has("triple") && triple ? saying(one, triple)
    : changed.has("entity") && entity ? `${entity.name}: ${described(entity)}`
    : LIST.some((key) => changed.has(key)) ? `${order.length} documents`
    : changed.has("doc") ? one.id
    : "";
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") change({ entity: "", triple: "" });
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after '#' is ours
  byId("document").focus();
});

drawHeader();
drawFilters();
drawViews();
fillFilters();
drawList();
drawRelations();
if (current()) drawDocument(current());
else byId("document").append(make("p", { class: "hint" }, "There are no documents."));
