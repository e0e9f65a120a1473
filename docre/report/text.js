// The text of a document with its mentions. Where mentions overlap, the words are cut at every
// border, and each piece knows all the entities it belongs to, the shortest mention first.

const TYPES = [...new Set(DOCUMENTS.flatMap((one) => one.entities.map(({ type }) => type)))].sort();
const FIRST_HUES = [212, 28, 130, 285, 55, 178, 330, 95];

/** A hue for a type, the same wherever the type stands. */
function hue(type) {
  const index = TYPES.indexOf(type);
  return FIRST_HUES[index] ?? Math.round((index * 137.5) % 360);
}

function coloured(element, type) {
  element.style.setProperty("--hue", hue(type));
  if (!type) element.classList.add("untyped");
  return element;
}

/** Cut a sentence of `length` words at the borders of its mentions. */
function segments(length, mentions) {
  const borders = [...new Set([0, length, ...mentions.flatMap(({ start, end }) => [start, end])])]
    .filter((border) => border >= 0 && border <= length)
    .sort((a, b) => a - b);
  return borders.slice(0, -1).map((start, index) => {
    const end = borders[index + 1];
    const over = mentions
      .filter((mention) => mention.start <= start && end <= mention.end)
      .sort((a, b) => a.end - a.start - (b.end - b.start));
    return { start, end, over };
  });
}

/** Draw a document's sentences; returns their list, and where each entity and sentence is. */
function drawText(one, choose) {
  const inSentence = one.sentences.map(() => []);
  for (const entity of one.entities)
    for (const [sentence, start, end] of entity.mentions)
      inSentence[sentence]?.push({ entity, start, end });
  const places = new Map(one.entities.map(({ number }) => [number, []]));
  const sentences = one.sentences.map((pieces, index) => {
    const text = make("span", { dir: "auto" });
    for (const { start, end, over } of segments(pieces.length, inSentence[index])) {
      let words = pieces.slice(start, end).join("");
      if (!over.length || !words) {
        text.append(words);
        continue;
      }
      if (words.startsWith(" ")) {
        // inside of a mention that goes on, the blank belongs to it
        if (!over.some((mention) => mention.start < start)) {
          words = words.slice(1);
          text.append(" ");
        }
      }
      const segment = drawSegment(words, start, end, over, choose);
      for (const { entity } of over) places.get(entity.number).push(segment);
      text.append(segment);
    }
    return make("li", {}, text, make("span", { class: "mark" }));
  });
  return { list: make("ol", { start: 0, class: "text" }, sentences), sentences, places };
}

function drawSegment(words, start, end, over, choose) {
  const entities = [...new Set(over.map(({ entity }) => entity))];
  const said = entities.map((entity) => `${entity.name}, ${described(entity)}`).join("; inside of ");
  const wrong = entities.map(({ verdict }) => verdict).find((v) => v === "false" || v === "missed");
  const classes = ["mention", wrong, entities.length > 1 && "nested"].filter(Boolean);
  if (over[0].start === start) classes.push("start");
  if (over[0].end === end) classes.push("end");
  // no <button>: that is a box, which cannot break between words as its sentence does
  const act = () => choose(entities.map(({ number }) => number));
  const button = make(
    "span",
    {
      role: "button",
      tabindex: 0,
      class: classes.join(" "),
      title: said,
      "aria-label": `${words.trim()}: ${said}`,
      "aria-pressed": "false",
      "data-entities": entities.map(({ number }) => number).join(" "),
      onclick: act,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        act();
      },
    },
    wrong && over[0].start === start
      ? make("span", { class: "symbol", "aria-hidden": "true" }, VERDICTS[wrong].symbol)
      : null,
    words,
  );
  return coloured(button, entities[0].type);
}

/** Type and verdict of an entity in words. */
function described({ type, verdict, mentions }) {
  const wrong = verdict === "false" || verdict === "missed" ? `${VERDICTS[verdict].word} entity` : null;
  const number = mentions.length === 1 ? "1 mention" : `${mentions.length || "no"} mentions`;
  return [type || "no type", wrong, number].filter(Boolean).join(", ");
}
