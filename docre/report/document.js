// One document: heading, text, entities and the table of its relations.

let shown = null; // the document on the page, with its parts

function drawDocument(one) {
  const { list, sentences, places } = drawText(one, chooseEntity);
  const rows = make("tbody");
  const chosen = make("p", { class: "chosen" });
  const summary = make("span", { class: "hint" });
  shown = { one, sentences, places, rows, chosen, summary, chips: drawChips(one) };
  const types = [...new Set(one.entities.map(({ type }) => type))].sort();
  const table = make(
    "table",
    { class: "triples" },
    make("caption", { class: "unseen" }, "Relations of the document"),
    make(
      "thead",
      {},
      make("tr", {}, COLUMNS.map((name) => make("th", { scope: "col" }, name))),
    ),
    rows,
  );
  byId("document").replaceChildren(
    make("h2", {}, foreign(one.id)),
    make(
      "p",
      { class: "counts" },
      one.judged ? `F1 ${percent(one.f1)}  P ${percent(one.precision)}  R ${percent(one.recall)} ` : "",
      VERDICTS_HERE.map((verdict) => badge(verdict, one.counts[verdict])),
    ),
    make(
      "ul",
      { class: "legend", "aria-label": "Entity types" },
      types.map((type) => make("li", {}, coloured(foreign(type || "no type", { class: "mention start end" }), type))),
    ),
    list,
    make(
      "details",
      { class: "entities" },
      make("summary", {}, `Entities (${one.entities.length})`),
      make("ul", {}, shown.chips.map((chip) => make("li", {}, chip))),
    ),
    make("h3", {}, "Relations ", summary),
    chosen,
    make("div", { class: "scroll" }, table),
  );
  drawRows();
  light();
}

const COLUMNS = ["Verdict", "Head", "Relation", "Tail", "Score", "Evidence", "Distance"];

function drawChips(one) {
  return one.entities.map((entity) =>
    coloured(
      make(
        "button",
        {
          type: "button",
          class: `mention start end ${entity.verdict}`,
          "aria-pressed": "false",
          onclick: () => chooseEntity([entity.number]),
        },
        foreign(entity.name),
        make("small", {}, ` ${described(entity)}`, entity.id ? ` ${entity.id}` : ""),
      ),
      entity.type,
    ),
  );
}

/** Choose the first of some entities, or the one after it that is chosen now, or none. */
function chooseEntity(numbers) {
  const now = numbers.map(String).indexOf(state.entity);
  const next = state.entity === "" || now < 0 ? numbers[0] : numbers[now + 1];
  change({ entity: next === undefined ? "" : String(next), triple: "" });
}

const chooseTriple = (number) =>
  change({ triple: state.triple === String(number) ? "" : String(number) });

/** Fill the table with the triples that filters and the chosen entity let through. */
function drawRows() {
  const { one, rows, chosen, summary } = shown;
  const entity = state.entity === "" ? undefined : one.entities[state.entity];
  const take = wanted();
  const kept = one.triples.filter(
    (triple) =>
      take(triple) && (!entity || triple.head === entity.number || triple.tail === entity.number),
  );
  summary.textContent =
    kept.length === one.triples.length ? `(${kept.length})` : `(${kept.length} of ${one.triples.length})`;
  chosen.replaceChildren();
  if (entity)
    chosen.append(
      "Only those of ",
      make("strong", {}, foreign(entity.name)),
      ` (${described(entity)}) `,
      make("button", { type: "button", onclick: () => change({ entity: "" }) }, "Show all"),
    );
  rows.replaceChildren(...kept.map((triple) => drawRow(one, triple)));
  if (!kept.length)
    rows.append(make("tr", {}, make("td", { colspan: COLUMNS.length, class: "hint" }, "None.")));
}

function drawRow(one, triple) {
  const name = (number) =>
    one.entities[number] ? foreign(one.entities[number].name) : `entity ${number} (not in the document)`;
  const cells = [
    make(
      "button",
      { type: "button", "aria-pressed": "false", "aria-label": saying(one, triple) },
      badge(triple.verdict),
    ),
    name(triple.head),
    relationName(triple.relation),
    name(triple.tail),
    scored(triple),
    evidenceOf(triple),
    triple.distance,
  ];
  return make(
    "tr",
    {
      class: triple.verdict,
      "data-triple": triple.number,
      onclick: () => chooseTriple(triple.number),
      onmouseenter: () => light(triple),
      onmouseleave: () => light(),
      onfocusin: () => light(triple),
      onfocusout: () => light(),
    },
    cells.map((cell, index) => make("td", { "data-label": COLUMNS[index] }, cell)),
  );
}

function relationName({ name, description }) {
  return [foreign(description || name), description ? make("small", {}, " ", foreign(name)) : null];
}

function scored({ score, margin }) {
  if (score === null) return "";
  return [score.toFixed(2), margin === null ? null : make("small", {}, ` margin ${margin.toFixed(2)}`)];
}

function evidenceOf({ evidence, gold }) {
  const same = String(evidence) === String(gold);
  const parts = [];
  if (evidence?.length) parts.push(evidence.join(", "));
  if (gold?.length && !same) parts.push(make("small", {}, `${parts.length ? " " : ""}gold: ${gold.join(", ")}`));
  return parts;
}

/** A triple in words. */
function saying(one, { head, relation, tail, verdict, evidence, gold }) {
  const name = (number) => one.entities[number]?.name ?? `entity ${number}`;
  const sentences = [...new Set([...(evidence ?? []), ...(gold ?? [])])].sort((a, b) => a - b);
  const where = sentences.length ? `; evidence in sentences ${sentences.join(", ")}` : "";
  return `${VERDICTS[verdict].word}: ${name(head)}, ${relation.description || relation.name}, ${name(tail)}${where}`;
}

/** Light up a triple's head, tail and evidence, or what is chosen if none is given. */
function light(given = null) {
  const { one, sentences, places, rows, chips } = shown;
  const chosen = state.triple === "" ? undefined : one.triples[state.triple];
  const triple = given ?? chosen;
  const roles = new Map();
  if (!triple && state.entity !== "") roles.set(Number(state.entity), "lit");
  if (triple) {
    roles.set(triple.tail, "tail");
    roles.set(triple.head, "head");
  }
  for (const segment of new Set([...places.values()].flat())) {
    const numbers = segment.dataset.entities.split(" ");
    // a tail inside of a head is a tail
    const role = roles.get(Number(numbers.find((number) => roles.has(Number(number)))));
    for (const other of ["lit", "head", "tail"]) segment.classList.toggle(other, other === role);
    segment.setAttribute("aria-pressed", String(isChosen(numbers)));
  }
  chips.forEach((chip, number) => {
    chip.setAttribute("aria-pressed", String(isChosen([String(number)])));
    chip.classList.toggle("head", roles.get(number) === "head");
    chip.classList.toggle("tail", roles.get(number) === "tail");
  });
  sentences.forEach((sentence, index) => {
    const predicted = triple?.evidence?.includes(index) ?? false;
    const gold = triple?.gold?.includes(index) ?? false;
    sentence.classList.toggle("evidence", predicted || gold);
    sentence.lastChild.textContent =
      predicted && !gold && triple.gold ? "evidence (predicted)"
      : gold && !predicted && triple.verdict !== "missed" ? "evidence (gold)"
      : predicted || gold ? "evidence" : "";
  });
  for (const row of rows.children) {
    const isOn = row.dataset.triple === state.triple && state.triple !== "";
    row.classList.toggle("on", isOn);
    row.querySelector("button")?.setAttribute("aria-pressed", String(isOn));
  }
}

/** Scroll the text, not the page, to what is chosen. */
function bringIntoView() {
  const { sentences, places, one } = shown;
  const triple = state.triple === "" ? undefined : one.triples[state.triple];
  const number = triple ? triple.head : state.entity === "" ? -1 : Number(state.entity);
  const place = places.get(number)?.find((segment) => !isInView(segment));
  const isSeen = places.get(number)?.some(isInView);
  if (place && !isSeen) {
    const box = sentences[0].parentNode;
    box.scrollTop += place.getBoundingClientRect().top - box.getBoundingClientRect().top - 8;
  }
}

function isInView(segment) {
  const [inner, outer] = [segment, shown.sentences[0].parentNode].map((e) => e.getBoundingClientRect());
  return inner.top >= outer.top && inner.bottom <= outer.bottom;
}

const isChosen = (numbers) => state.entity !== "" && numbers.includes(state.entity);
