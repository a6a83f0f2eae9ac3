// Checks the spelling of words against British English and the project's own list.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import dictionary from "dictionary-en-gb";
import nspell from "nspell";

const known = new Map();
let speller;

/** The words of a text that neither the dictionary nor `words.txt` has, as `{ offset, word }`. */
export function misspelled(text) {
  const found = [];
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{M}\p{N}'’_]+/gu)) {
    if (!isWord(word) || isKnown(word.replace(/’/g, "'").replace(/'s$|'$|^'/g, ""))) continue;
    found.push({ offset: index, word });
  }
  return found;
}

/** Names from code are not words: digits, underscores, capitals inside. */
function isWord(word) {
  return word.length > 2 && !/[\p{N}_]/u.test(word) && !/.\p{Lu}/u.test(word);
}

function isKnown(word) {
  if (!known.has(word)) {
    speller ??= makeSpeller();
    known.set(word, speller.correct(word));
  }
  return known.get(word);
}

function makeSpeller() {
  const spell = nspell(dictionary);
  const words = readFileSync(fileURLToPath(new URL("words.txt", import.meta.url)), "utf8");
  for (const word of words.split("\n")) if (word !== "" && !word.startsWith("#")) spell.add(word);
  return spell;
}
