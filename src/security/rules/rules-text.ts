import { basename } from "node:path";
import { errorText, TroupeError } from "../../core/internal.ts";
import type { UnreadRules } from "./read-rules.ts";
import { loadYaml, type YamlText } from "./yaml-text.ts";

/** Returns what reads the text of a file. YAML needs the package `yaml`; rejects with what to install. */
export async function loadRulesParser(
  file: string,
  importYaml?: () => Promise<unknown>,
): Promise<(text: string) => UnreadRules> {
  if (file.endsWith(".json")) return (text) => readJson(text, basename(file));
  const absent = (cause: unknown): TroupeError => {
    const text = `Rules in YAML need the package yaml: npm install yaml@2. Rules in JSON, in a file .json, need none. (${errorText(cause)})`;
    return new TroupeError("wrong-state", text, { cause });
  };
  const read = await loadYaml(absent, importYaml);
  return (text) => rulesIn(read(text), basename(file));
}

function rulesIn({ content, lineOf }: YamlText, file: string): UnreadRules {
  const { rules, quotas } = listsOf(content);
  const linesOf = (key: string, list: unknown) =>
    Array.isArray(list) ? list.map((_entry, index) => lineOf([key, index])) : [];
  return { rules, quotas, file, lines: linesOf("rules", rules), quotaLines: linesOf("quotas", quotas) };
}

function readJson(text: string, file: string): UnreadRules {
  const { rules, quotas, isQuotasFirst } = listsOf(JSON.parse(text));
  const all = linesOfEntries(text);
  const [first, second] = isQuotasFirst ? [quotas, rules] : [rules, quotas];
  const count = Array.isArray(first) ? first.length : 0;
  const [before, after] = [all.slice(0, count), Array.isArray(second) ? all.slice(count) : []];
  const [quotaLines, lines] = isQuotasFirst ? [before, after] : [after, before];
  return { rules, quotas, file, lines, quotaLines };
}

/** The two lists of a file. It may have one of them alone. */
function listsOf(content: unknown): {
  readonly rules: unknown;
  readonly quotas: unknown;
  readonly isQuotasFirst: boolean;
} {
  const isObject = typeof content === "object" && content !== null && !Array.isArray(content);
  const keys = isObject ? Object.keys(content) : [];
  if (isObject && keys.length > 0 && keys.every((key) => key === "rules" || key === "quotas")) {
    const { rules, quotas } = content as { readonly rules?: unknown; readonly quotas?: unknown };
    return { rules, quotas, isQuotasFirst: keys[0] === "quotas" };
  }
  const text =
    "The file must have rules: and a list of rules below, or quotas: and a list of quotas, or both, and nothing else.";
  throw new TroupeError("invalid-argument", text);
}

/** The lines of the objects in the lists of a valid JSON text. */
function linesOfEntries(text: string): readonly number[] {
  const lines: number[] = [];
  let [line, depth] = [1, 0];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]\n]/g)) {
    if (token === "\n") line += 1;
    else if (token === "{" || token === "[") {
      if (token === "{" && depth === 2) lines.push(line);
      depth += 1;
    } else if (token === "}" || token === "]") depth -= 1;
  }
  return lines;
}
