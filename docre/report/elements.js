"use strict";
// Elements are made here and nowhere else. Texts become text nodes, never markup.

const DATA = JSON.parse(document.getElementById("data").textContent);

const VERDICTS = {
  true: { symbol: "✓", word: "true", plural: "true" },
  false: { symbol: "✗", word: "false", plural: "false" },
  missed: { symbol: "○", word: "missed", plural: "missed" },
  unjudged: { symbol: "·", word: "not judged", plural: "not judged" },
};

/** Make an element; `on...` are listeners, true and false set and leave out an attribute. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text of a document or file: it keeps its direction to itself. */
const foreign = (text, attributes = {}) => make("bdi", attributes, text);

const byId = (id) => document.getElementById(id);

/** A verdict as symbol and word, so that no colour is needed to know it. */
function badge(verdict, count = null) {
  const { symbol, word } = VERDICTS[verdict];
  return make(
    "span",
    { class: `badge ${verdict}` },
    make("span", { "aria-hidden": "true", class: "symbol" }, symbol),
    count === null ? ` ${word}` : ` ${count.toLocaleString("en")} ${word}`,
  );
}

/** The same in little room: symbol and number, the word for those who listen. */
function tally(verdict, count) {
  const { symbol, word } = VERDICTS[verdict];
  return make(
    "span",
    { class: `tally ${verdict}` },
    make("span", { "aria-hidden": "true" }, `${symbol} ${count}`),
    make("span", { class: "unseen" }, ` ${count} ${word}, `),
  );
}

const percent = (value) => (value === null ? "–" : (100 * value).toFixed(2));

/** P, R and F1 of counts; null where there is nothing to judge, 0 where nothing is right. */
function rates({ true: right = 0, false: wrong = 0, missed = 0 }) {
  if (right + wrong + missed === 0) return { precision: null, recall: null, f1: null };
  return {
    precision: right + wrong ? right / (right + wrong) : 0,
    recall: right + missed ? right / (right + missed) : 0,
    f1: (2 * right) / (2 * right + wrong + missed),
  };
}
