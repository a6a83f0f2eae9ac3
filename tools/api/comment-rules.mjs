// What the package's comments must hold to: users read them in their editors, without the project's documents.

/** Names that a public declaration mentions and no user needs to name, with the reason. */
const unnamedOnPurpose = new Map([
  ["src/core/agents/handler.ts Handler", "what a handler table holds; users hand the table on"],
  ["src/core/agents/closure-agent.ts Erased", "the type of a constructor's parameter; users write a function"],
]);

const doc = /\/\*\*[\s\S]*?\*\//g;
/** protocol.md is not in the package, and its numbers (§5.10, W21, H1) say nothing without it. */
const citation = /protocol\.md|(?<!RFC \d+ )§|\b[WH]\d{1,2}\b/;

/** Comments in the shipped declarations that cite the protocol's document. */
export function findCitations({ declarations }) {
  const found = [...declarations].flatMap(([source, text]) =>
    (text.match(doc) ?? []).filter((comment) => citation.test(comment)).map((comment) => ({ source, comment })),
  );
  return found.map(({ source, comment }) => `${source}: ${oneLine(comment)}`);
}

/** Exported names without a comment. */
export function findUndocumented({ entryPoints }) {
  const found = entryPoints.flatMap(({ name, exports }) =>
    exports.filter(({ isDocumented }) => !isDocumented).map((one) => ({ ...one, entryPoint: name })),
  );
  return found.map(({ source, name, entryPoint }) => `${source}: ${name} of ${entryPoint}`);
}

/** Names that public declarations mention and no entry point exports, so that users cannot write them. */
export function findUnnamed({ entryPoints }) {
  const published = new Set(entryPoints.flatMap(({ exports }) => exports.map(keyOf)));
  const isFine = (mention) =>
    mention.isInlined || published.has(keyOf(mention)) || unnamedOnPurpose.has(keyOf(mention));
  const found = entryPoints.flatMap(({ name, exports }) =>
    exports.flatMap((one) =>
      one.mentions
        .filter((mention) => !isFine(mention))
        .map((mention) => `${name}: ${one.name} mentions ${keyOf(mention)}`),
    ),
  );
  return [...new Set(found)];
}

function keyOf({ source, name }) {
  return `${source} ${name}`;
}

function oneLine(comment) {
  const text = comment.replace(/\s*\n\s*\*?\s*/g, " ");
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}
