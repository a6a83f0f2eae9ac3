/** The part of the package `yaml` that is used here. */
interface YamlModule {
  parseDocument(text: string, options: { readonly lineCounter: LineCounter }): YamlDocument;
  readonly LineCounter: new () => LineCounter;
}

interface LineCounter {
  linePos(offset: number): { readonly line: number };
}

interface YamlDocument {
  readonly errors: readonly Error[];
  toJS(options: { readonly maxAliasCount: number }): unknown;
  getIn(path: readonly unknown[], keepsNode: true): unknown;
}

/** The content of a text in YAML, with the lines of its values. */
export interface YamlText {
  readonly content: unknown;
  /** The line of a value, from 1. Undefined: the text does not have the value. */
  readonly lineOf: (path: readonly (string | number)[]) => number | undefined;
}

/** Loads the package `yaml`, and returns what reads a text. Rejects with the error that `absent` makes if the package can't be loaded. */
export async function loadYaml(
  absent: (cause: unknown) => Error,
  importYaml?: () => Promise<unknown>,
): Promise<(text: string) => YamlText> {
  let yaml: YamlModule;
  try {
    // A program that joins files into one takes an `import` in a `try` for optional.
    const imported: unknown = importYaml === undefined ? await import("yaml") : await importYaml();
    yaml = imported as YamlModule;
  } catch (cause) {
    throw absent(cause);
  }
  return (text) => readYaml(yaml, text);
}

/** Throws an error of one line for a text that is not YAML. */
function readYaml({ parseDocument, LineCounter }: YamlModule, text: string): YamlText {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [error] = document.errors;
  // The text of the parser has a picture of the line below it.
  if (error !== undefined) throw new Error(error.message.split("\n")[0]?.replace(/:$/, ""));
  const lineOf = (path: readonly (string | number)[]): number | undefined => {
    const node = document.getIn(path, true);
    const hasRange = typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range);
    return hasRange ? lineCounter.linePos(Number((node.range as readonly unknown[])[0])).line : undefined;
  };
  return { content: document.toJS({ maxAliasCount: 100 }), lineOf };
}
