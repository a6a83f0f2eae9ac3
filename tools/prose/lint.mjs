// Applies style, glossary and spelling to the texts of one file.
import { textsOf } from "./extract.mjs";
import { paragraphsOf, sentencesOf } from "./paragraphs.mjs";
import { misspelled } from "./spelling.mjs";
import { banned, glossary, longestSentence } from "./style.mjs";

/** What is wrong with the texts of a file, as lines `file:line: what`. */
export function lint(name, source) {
  return textsOf(name, source).flatMap(({ kind, line, text }) =>
    paragraphsOf(text).flatMap((paragraph) => {
      const lineAt = (offset) => line + newlines(text.slice(0, paragraph.offset + offset));
      return problemsOf(paragraph, kind, name).map(({ offset, what }) => ({ name, line: lineAt(offset), what }));
    }),
  );
}

function problemsOf(paragraph, kind, name) {
  // Newlines are spaces to a rule.
  const text = paragraph.text.replace(/\n/g, " ");
  return [
    ...[...banned, ...glossary].flatMap((rule) => breaches(rule, text, { kind, name })),
    ...sentencesOf(text).flatMap((sentence) => tooLong(sentence)),
    ...misspelled(text).map(({ offset, word }) => ({ offset, what: `unknown word "${word}" (tools/prose/words.txt)` })),
  ];
}

function breaches({ pattern, write, in: kinds, notIn: files }, text, { kind, name }) {
  if (kinds?.includes(kind) === false || files?.includes(name) === true) return [];
  const match = pattern.exec(text);
  return match === null ? [] : [{ offset: match.index, what: `"${match[0].trim()}": ${write}` }];
}

function tooLong({ offset, text, words }) {
  if (words <= longestSentence) return [];
  return [{ offset, what: `a sentence of ${words} words: "${text.trim().replace(/\s+/g, " ").slice(0, 60)}…"` }];
}

function newlines(text) {
  return text.split("\n").length - 1;
}
