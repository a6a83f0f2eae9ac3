import ts from "typescript";

/**
 * The titles of the tests that a file runs: what stands first in the calls of `test` and `it`, `.each` and others of their
 * makers included. Not those that are skipped, or in a group that is; a template's inserted values read as `${…}`.
 */
export function testTitles(file: string, text: string): string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const chain = chainOf(node.expression);
      const [root] = chain;
      if (chain.some((name) => name === "skip" || name === "todo")) return;
      if (root === "test" || root === "it" || root === "unless") titles.push(...node.arguments.flatMap(textOf));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return titles;
}

/** `it.each([…])("…")`: the names `it`, `each`. */
function chainOf(node: ts.Expression): string[] {
  if (ts.isIdentifier(node)) return [node.text];
  if (ts.isPropertyAccessExpression(node)) return [...chainOf(node.expression), node.name.text];
  if (ts.isCallExpression(node)) return chainOf(node.expression);
  return [];
}

function textOf(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands for what is inserted there
    return [[node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("${…}")];
  }
  return [];
}
