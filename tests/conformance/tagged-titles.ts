import ts from "typescript";

/** What a test may be declared with; `situation` declares one for each generation of Python peers. */
const declaring = new Set(["test", "it", "describe", "runs", "situation"]);
/** A test declared so does not run. */
const silent = new Set(["skip", "todo"]);

/**
 * The titles in a test file's source that carry a tag `[§8.N]` and belong to a test that runs: what stands in a comment,
 * in another text, or in a test that is skipped or yet to be written proves nothing.
 */
export function taggedTitles(source: string): readonly string[] {
  if (!source.includes("[§8.")) return [];
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const names = namesOf(node.expression);
      if (declaring.has(names[0] ?? "")) {
        if (names.some((name) => silent.has(name)) || node.arguments.some(silences)) return;
        const title = titleOf(node.arguments[0]);
        if (title?.includes("[§8.") === true) titles.push(title);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("a.test.ts", source, ts.ScriptTarget.Latest));
  return titles;
}

/** Whether an argument is options that say `skip` or `todo`. */
function silences(argument: ts.Expression): boolean {
  if (!ts.isObjectLiteralExpression(argument)) return false;
  return argument.properties.some(({ name }) => name !== undefined && ts.isIdentifier(name) && silent.has(name.text));
}

/** `test.each(rows)` as `["test", "each"]`. */
function namesOf(callee: ts.Expression): readonly string[] {
  if (ts.isIdentifier(callee)) return [callee.text];
  if (ts.isPropertyAccessExpression(callee)) return [...namesOf(callee.expression), callee.name.text];
  return ts.isCallExpression(callee) ? namesOf(callee.expression) : [];
}

/** A text, a template's text with its gaps, or the `title` of an object. */
function titleOf(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return [node.head, ...node.templateSpans.map(({ literal }) => literal)].map(({ text }) => text).join("…");
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  const title = node.properties.find(isTitle);
  return title !== undefined && ts.isPropertyAssignment(title) ? titleOf(title.initializer) : undefined;
}

function isTitle({ name }: ts.ObjectLiteralElementLike): boolean {
  return name !== undefined && ts.isIdentifier(name) && name.text === "title";
}
