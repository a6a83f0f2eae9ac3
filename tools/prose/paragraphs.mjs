// Takes Markdown apart into paragraphs of plain words, and those into sentences.

import remarkGfm from "remark-gfm";
import remarkParse from "remark-parse";
import retextEnglish from "retext-english";
import { unified } from "unified";

const markdown = unified().use(remarkParse).use(remarkGfm);
const english = unified().use(retextEnglish);

/** Blocks whose content is words in a row. */
const blocks = new Set(["paragraph", "heading", "tableCell"]);

/**
 * The paragraphs of a Markdown text, as `{ offset, text }`. A paragraph keeps its length and lines; of its markup only the words
 * are left, and code stands as `X`, so that an offset in it is an offset in the source.
 */
export function paragraphsOf(source) {
  const found = [];
  const visit = (node) => {
    if (namesTests(node)) return;
    if (blocks.has(node.type) && node.position !== undefined) found.push(paragraphOf(node, source));
    else for (const child of node.children ?? []) visit(child);
  };
  visit(markdown.parse(source));
  return found;
}

/** Whether a table cell begins with the path of a test; its words are titles of tests, which a page only quotes. */
function namesTests({ type, children }) {
  return type === "tableCell" && children[0]?.type === "inlineCode" && children[0].value.startsWith("tests/");
}

function paragraphOf(node, source) {
  const { start, end } = node.position;
  const blank = source.slice(start.offset, end.offset).replace(/[^\n]/g, " ");
  let text = blank;
  const put = (from, to, by) => {
    text = text.slice(0, from) + by(source.slice(start.offset + from, start.offset + to)) + text.slice(to);
  };
  const visit = (each) => {
    const from = (each.position?.start.offset ?? 0) - start.offset;
    const to = (each.position?.end.offset ?? 0) - start.offset;
    if (each.type === "text") put(from, to, (words) => words.replace(/\bhttps?:\S+/g, (url) => "X".repeat(url.length)));
    else if (each.type === "inlineCode") put(from, to, (code) => code.replace(/[^\n]/g, "X"));
    else for (const child of each.children ?? []) visit(child);
  };
  visit(node);
  return { offset: start.offset, text };
}

/** The sentences of a paragraph, as `{ offset, text, words }`; `words` counts code as one. */
export function sentencesOf(text) {
  const found = [];
  const visit = (node) => {
    if (node.type !== "SentenceNode") {
      for (const child of node.children ?? []) visit(child);
      return;
    }
    const { start, end } = node.position;
    const words = node.children.filter(({ type }) => type === "WordNode").length;
    found.push({ offset: start.offset, text: text.slice(start.offset, end.offset), words });
  };
  visit(english.parse(text));
  return found;
}
