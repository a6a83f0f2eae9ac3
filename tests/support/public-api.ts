import { readdirSync, readFileSync } from "node:fs";

const pages = new URL("../../docs/api/", import.meta.url);

/** A public options object and its options, as docs/api has them. */
export interface PublicOptions {
  readonly name: string;
  readonly options: readonly PublicOption[];
}

export interface PublicOption {
  readonly name: string;
  /** Its type as text. */
  readonly type: string;
}

/** A public function, constructor or static method that needs at least one argument. */
export interface PublicCallable {
  /** The entry point: `troupe/grpc`. */
  readonly entryPoint: string;
  /** `defineMessage`, `new AgentId`, `AgentId.parse`. */
  readonly name: string;
}

/** All interfaces of docs/api whose name ends in Options or Parts, with what they inherit. */
export function publicOptions(): readonly PublicOptions[] {
  const bodies = new Map<string, { readonly heritage: string; readonly options: readonly PublicOption[] }>();
  for (const { text } of apiPages()) {
    for (const [, name = "", heritage = "", body = ""] of text.matchAll(
      /^interface (\w+(?:Options|Parts))(?:<[^\n]*?>)?( extends [^\n]*)? \{\n([\s\S]*?)^\}/gm,
    )) {
      const options = [...body.matchAll(/^ {2}readonly (\w+)\??: ([\s\S]*?);$/gm)].map(
        ([, option = "", type = ""]) => ({ name: option, type }),
      );
      bodies.set(name, { heritage, options });
    }
  }
  const all = (name: string): readonly PublicOption[] => {
    const { heritage = "", options = [] } = bodies.get(name) ?? {};
    const left = new Set([...heritage.matchAll(/"(\w+)"/g)].map(([, out = ""]) => out));
    const inherited = [...heritage.matchAll(/\w+(?:Options|Parts)\b/g)].flatMap(([parent]) => all(parent));
    return [...inherited.filter((option) => !left.has(option.name)), ...options];
  };
  return [...bodies.keys()].map((name) => ({ name, options: all(name) }));
}

/** All functions, constructors and static methods of docs/api whose first parameter is not optional. */
export function publicCallables(): readonly PublicCallable[] {
  return apiPages().flatMap(({ entryPoint, text }) => {
    const functions = [...text.matchAll(/^function (\w+)(?:<[^\n]*?>)?\((\w+): /gm)].map(([, name = ""]) => name);
    const members = [...text.matchAll(/^(abstract )?class (\w+)[^\n]*\{\n([\s\S]*?)^\}/gm)].flatMap(
      ([, abstract, name = "", body = ""]) => [
        ...(abstract === undefined && /^ {2}constructor\(([{\w]).*?\)/m.test(body) && needsFirst(body)
          ? [`new ${name}`]
          : []),
        ...[...body.matchAll(/^ {2}static (\w+)(?:<[^\n]*?>)?\((?:this: [^,]*, )?(\w+): /gm)].map(
          ([, method = ""]) => `${name}.${method}`,
        ),
      ],
    );
    return [...functions, ...members].map((name) => ({ entryPoint, name }));
  });
}

/** Whether the first parameter of the constructor has neither a question mark nor a default. */
function needsFirst(body: string): boolean {
  return /^ {2}constructor\((?:\w+|\{[^}]*\}): /m.test(body);
}

function apiPages(): readonly { readonly entryPoint: string; readonly text: string }[] {
  return readdirSync(pages).map((file) => {
    const text = readFileSync(new URL(file, pages), "utf8");
    return { entryPoint: /^# (\S+)/.exec(text)?.[1] ?? "", text };
  });
}
