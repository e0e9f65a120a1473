// What is shown stands in the address after '#', so that it can be sent to somebody else.

const DEFAULTS = {
  view: "documents", // or relations
  doc: "", // id; the first of the list if empty
  q: "", // words to search for
  sort: "file", // f1, -f1, -errors, id
  relation: "",
  show: "", // verdicts with commas; all if empty
  distance: "", // intra, inter, unknown
  entity: "", // number of the chosen entity
  triple: "", // number of the chosen triple
  by: "-gold", // column of the table of relations
};
const ALLOWED = {
  view: /^(documents|relations)$/,
  sort: /^(file|f1|-f1|-errors|id)$/,
  distance: /^(|intra|inter|unknown)$/,
  entity: /^\d*$/,
  triple: /^\d*$/,
  by: /^-?(name|f1|precision|recall|gold|predicted|true|false|missed)$/,
};
const NEW_PLACE = ["doc", "view"]; // a change of these is one to go back from

let state = readState();
let drawn = () => {};

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const read = Object.entries(DEFAULTS).map(([key, value]) => {
    const text = given.get(key) ?? value; // anybody can write an address
    return [key, (ALLOWED[key] ?? /^/).test(text) ? text : value];
  });
  return Object.fromEntries(read);
}

function address() {
  const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return `#${new URLSearchParams(changed)}`;
}

/** Change what is shown: remember it in the address and draw what it concerns. */
function change(changes) {
  const keys = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  if (!keys.length) return;
  Object.assign(state, changes);
  const how = keys.some((key) => NEW_PLACE.includes(key)) ? "pushState" : "replaceState";
  history[how](null, "", address());
  drawn(new Set(keys));
}

window.addEventListener("popstate", () => {
  const before = state;
  state = readState();
  drawn(new Set(Object.keys(DEFAULTS).filter((key) => before[key] !== state[key])));
});

// --- documents as objects, and which of their triples are wanted ---------------------------------

const DOCUMENTS = DATA.documents.map((raw, index) => {
  const entities = raw.entities.map(([type, verdict, name, id, mentions], number) => ({
    number,
    type,
    verdict,
    name: name || id || `entity ${number}`,
    id,
    mentions,
  }));
  const counts = { true: 0, false: 0, missed: 0, unjudged: 0 };
  const triples = raw.triples.map((row, number) => {
    const [head, relation, tail, verdict, score, margin, evidence, gold, distance] = row;
    counts[verdict] += 1;
    const known = distance < 0 ? "unknown" : distance > 0 ? "inter" : "intra";
    const named = DATA.relations[relation];
    return { number, head, relation: named, tail, verdict, score, margin, evidence, gold, distance: known };
  });
  return { ...raw, index, entities, triples, counts, errors: counts.false + counts.missed, ...rates(counts) };
});
const VERDICTS_HERE = Object.keys(VERDICTS).filter((verdict) =>
  DOCUMENTS.some((one) => one.counts[verdict]),
);

/** The function that tells wanted triples by the filters. */
function wanted() {
  const shown = state.show ? new Set(state.show.split(",")) : null;
  return (triple) =>
    (!state.relation || triple.relation.name === state.relation) &&
    (!shown || shown.has(triple.verdict)) &&
    (!state.distance || triple.distance === state.distance);
}

const isFiltered = () => Boolean(state.relation || state.show || state.distance);

/** Whether a document has all the words searched for, in its title or its text. */
function found(one, words) {
  one.lower ??= `${one.id}\n${one.sentences.map((pieces) => pieces.join("")).join("\n")}`.toLowerCase();
  return words.every((word) => one.lower.includes(word));
}

const ORDERS = {
  file: ["order of the file", (a, b) => a.index - b.index],
  f1: ["lowest F1 first", (a, b) => (a.f1 ?? 2) - (b.f1 ?? 2)],
  "-f1": ["highest F1 first", (a, b) => (b.f1 ?? -1) - (a.f1 ?? -1)],
  "-errors": ["most errors first", (a, b) => b.errors - a.errors],
  id: ["title", (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)],
};

/** The documents of the list, each with the number of its triples that are wanted. */
function listed() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const take = wanted();
  const [, order] = ORDERS[state.sort];
  return DOCUMENTS.filter((one) => found(one, words))
    .map((one) => [one, one.triples.filter(take).length])
    .filter(([, count]) => count || !isFiltered())
    .sort(([a], [b]) => order(a, b) || a.index - b.index);
}
