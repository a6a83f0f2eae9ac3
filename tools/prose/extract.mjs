// Finds the texts that people read: the comments and error texts of a TypeScript file, the prose of a Markdown file.
import ts from "typescript";

/**
 * A text and where it stands. `text` is Markdown; its lines are those of the file from `line` on.
 * `kind`: `doc` (`/** *\/`), `comment` (`//`), `message` (a string of at least three words) or `page` (a Markdown file).
 */

/** The texts of one file. */
export function textsOf(name, source) {
  return name.endsWith(".md") ? [{ kind: "page", line: 1, text: source }] : textsOfCode(name, source);
}

function textsOfCode(name, source) {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const lineOf = (position) => file.getLineAndCharacterOfPosition(position).line + 1;
  const comments = new Map();
  const texts = [];
  const visit = (node) => {
    for (const range of [
      ...(ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source, node.getEnd()) ?? []),
    ])
      comments.set(range.pos, range);
    const message = messageText(node);
    if (message !== undefined) texts.push({ kind: "message", line: lineOf(node.getStart()), text: message });
    for (const child of node.getChildren(file)) if (!ts.isJSDoc(child)) visit(child);
  };
  visit(file);
  const ranges = [...comments.values()].sort((a, b) => a.pos - b.pos);
  return [...texts, ...joined(ranges.map(({ pos, end }) => commentText(source.slice(pos, end), lineOf(pos))))];
}

function commentText(raw, line) {
  if (raw.startsWith("//")) return { kind: "comment", line, text: withoutMarks(raw.slice(2).trim()) };
  const lines = raw
    .replace(/^\/\*+/, "")
    .replace(/\*+\/$/, "")
    .split("\n");
  const text = lines.map((each) => each.replace(/^\s*\*? ?/, "").trimEnd()).join("\n");
  return { kind: "doc", line, text: withoutMarks(text) };
}

/** What tools read is no prose: directives, tags, links between names. */
function withoutMarks(text) {
  if (/^(biome-ignore|@ts-|#)/.test(text)) return "";
  return text.replace(/\{@link ([^}]+)\}/g, "`$1`").replace(/^@\w+/gm, "");
}

/** `//` comments on consecutive lines are one text. */
function joined(texts) {
  const result = [];
  for (const text of texts) {
    const last = result.at(-1);
    const follows = last?.kind === "comment" && text.kind === "comment" && text.line === last.nextLine;
    if (!follows) {
      result.push({ ...text, nextLine: text.line + 1 });
      continue;
    }
    last.text += `\n${text.text}`;
    last.nextLine += 1;
  }
  return result;
}

/** The words of a string literal or template that reads like a sentence. */
function messageText(node) {
  const text = literalText(node);
  return text !== undefined && /[a-z]+ [a-z']+ [a-z]+/.test(text) && /^[A-Z"`X]/.test(text) ? text : undefined;
}

function literalText(node) {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `X${literal.text}`).join("");
}
