import { loggableUpTo } from "../core/internal.ts";
import { httpLimits } from "./http-limits.ts";
import { HttpProblem } from "./http-problem.ts";

/** The path and the parameters of a request. A path is compared as it is written: nothing in it is decoded or resolved. */
export class RequestQuery {
  readonly path: string;
  readonly #values: ReadonlyMap<string, readonly string[]>;

  /** `target`: as it stands in the request line. Throws a problem for a target that is not a path. */
  constructor(target: string) {
    const mark = target.indexOf("?");
    this.path = mark < 0 ? target : target.slice(0, mark);
    if (!this.path.startsWith("/")) throw invalid("The target of the request is not a path.");
    this.#values = mark < 0 ? new Map() : parametersOf(target.slice(mark + 1));
  }

  /** The value of a parameter; undefined: the query lacks it. Throws a problem if it stands twice. */
  text(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw invalid(`The parameter ${name} stands more than once.`);
    return values[0];
  }

  /** The value of a parameter that must be there. It may be empty. */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw invalid(`The parameter ${name} is missing.`);
    return value;
  }

  /** A whole number within limits; undefined: the parameter is not there. */
  whole(name: string, { from, to }: { readonly from: number; readonly to: number }): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw invalid(`The parameter ${name} must be a whole number from ${from} to ${to}.`);
  }

  /** All values of a parameter. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Returns a query with another value of a parameter. */
  replacing(name: string, value: string): RequestQuery {
    const values = new Map([...this.#values, [name, [value]]]);
    const pairs = [...values].flatMap(([key, all]) => all.map((one) => [key, one].map(encodeURIComponent).join("=")));
    return new RequestQuery(`${this.path}?${pairs.join("&")}`);
  }

  /** Throws a problem for a parameter with another name: a wrong one must not be passed over. */
  assertOnly(names: readonly string[]): void {
    for (const name of this.#values.keys()) {
      if (names.includes(name)) continue;
      const known = names.length === 0 ? "none" : names.join(", ");
      throw invalid(`There is no parameter ${loggableUpTo(100, name)} here; this path has: ${known}.`);
    }
  }
}

function parametersOf(text: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  if (text === "") return values;
  const parts = text.split("&", httpLimits.parameters + 1);
  if (parts.length > httpLimits.parameters) {
    throw invalid(`The query has more than ${httpLimits.parameters} parameters.`);
  }
  for (const part of parts) {
    const equals = part.indexOf("=");
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? "" : decoded(part.slice(equals + 1));
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new HttpProblem(400, "invalid-argument", "The query is not percent-encoded UTF-8.", { cause });
  }
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem(400, "invalid-argument", detail);
}
