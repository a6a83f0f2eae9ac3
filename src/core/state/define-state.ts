import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";
import { type JsonCodec, nativeJson } from "../serialization/json-codec.ts";
import { assertSchema } from "../serialization/standard-schema.ts";
import { isThenable } from "../thenable.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { fields, number, withMethods, word } from "../validation/option-kinds.ts";
import { assertFits, bytesOfText, stateOfText, textOfState } from "./state-codec.ts";

/** A schema of any Standard Schema library whose values are objects. */
export type StateSchema = StandardSchemaV1<unknown, object>;

declare const reason: unique symbol;

/** Stands in compile errors for a schema whose values can't be states; its text says what to declare instead. No value has this type. */
export interface NotAState<Reason extends string> {
  readonly [reason]: Reason;
}

/** Is a reason not to compile for a schema of lists: a state is an object with named fields. */
export type NotAList<Schema extends StateSchema> =
  StandardSchemaV1.InferOutput<Schema> extends readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
    ? NotAState<"A collection is not a state. Put it into a field of an object.">
    : unknown;

/**
 * When a state is saved.
 * - `each-message`: before a turn's answer leaves, if the state differs from the stored one.
 * - `manual`: only when the agent calls `saveNow`.
 */
export type SavePolicy = "each-message" | "manual";

/** Makes a state of one version from the state of the version before. It is synchronous. */
export type Migration = (old: never) => unknown;

/** Options of `defineState`. */
export interface DefineStateOptions<T extends object> {
  /** The state of an agent that has none yet; each agent gets a copy. Set what depends on the agent's id in `onActivate`. */
  readonly initial: T;
  /** A whole number from 1. Raise it with every change that older states do not fit. Default: 1. */
  readonly version?: number | undefined;
  /** A function for each older version, which returns the state of the next version: `{ 1: (old) => ({ … }) }`. Default: none. */
  readonly migrations?: { readonly [fromVersion: number]: Migration } | undefined;
  /** When it is saved. Default: `each-message`. */
  readonly save?: SavePolicy | undefined;
  /** Limit of the state as JSON, in bytes. A turn that leaves more fails with `state-too-large`. Default: 1 MiB. */
  readonly maxBytes?: number | undefined;
  /** Reads and writes the JSON text. Default: JavaScript's JSON, which refuses values that it would change. */
  readonly json?: JsonCodec | undefined;
}

/** Says what an agent keeps: the shape of its state, how it begins, and how older shapes become this one. */
export interface StateDefinition<T extends object> {
  readonly schema: StandardSchemaV1<unknown, T>;
  readonly initial: T;
  readonly version: number;
  readonly migrations: { readonly [fromVersion: number]: Migration };
  readonly save: SavePolicy;
  readonly maxBytes: number;
  readonly json: JsonCodec;
}

/** Type of the values of a definition: `StateOf<typeof Count>`. */
export type StateOf<Definition> = Definition extends StateDefinition<infer T> ? T : never;

const shape = optionShape<DefineStateOptions<object>>({
  initial: fields,
  version: number({ from: 1 }),
  migrations: fields,
  save: word("each-message", "manual"),
  maxBytes: number({ from: 1 }),
  json: withMethods("a JSON codec, such as pythonJson,", "parse", "stringify"),
});

/**
 * Declares the state of a class of agents from a schema (zod, valibot, arktype, …). The schema must be synchronous and accept its own
 * output as JSON gives it back. Throws `invalid-argument` for a wrong schema, an `initial` that does not fit it, and a version without
 * a migration to the next one.
 *
 * @example
 * ```ts
 * const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
 *
 * class Counter extends persistentAgent(Count) {
 *   static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
 *     this.state.total += value; // saved before the answer leaves
 *     return Total({ value: this.state.total });
 *   });
 * }
 * ```
 */
export function defineState<Schema extends StateSchema>(
  schema: Schema & NotAList<Schema>,
  options: DefineStateOptions<StandardSchemaV1.InferOutput<Schema>>,
): StateDefinition<StandardSchemaV1.InferOutput<Schema>> {
  assertSchema(schema, "a state", "defineState(z.object({ total: z.number() }), { initial: { total: 0 } })");
  assertOptions(options, shape, "defineState");
  const { version = 1, migrations = {}, save = "each-message", maxBytes = 1024 * 1024, json = nativeJson } = options;
  if (!Number.isSafeInteger(version)) throw wrong(`The version of a state is a whole number from 1, not ${version}.`);
  assertMigrations(version, migrations);
  if (options.initial === undefined) throw wrong("defineState needs the option initial: the state of a new agent.");
  // TypeScript can't see that the schema's output is what the option holds.
  const typed = schema as StandardSchemaV1<unknown, StandardSchemaV1.InferOutput<Schema>>;
  const definition = { schema: typed, initial: options.initial, version, migrations, save, maxBytes, json };
  try {
    const text = textOfState(definition, options.initial);
    assertFits(definition, text);
    bytesOfText(definition, text);
    return Object.freeze({ ...definition, initial: stateOfText(definition, text) });
  } catch (cause) {
    const why = cause instanceof TroupeError ? cause.message : String(cause);
    const advice = fitsAsItIs(typed, options.initial)
      ? " It fits before it is written as JSON. The schema must accept what JSON gives back: a date is text there, so declare z.coerce.date()."
      : "";
    const text = `The initial state of defineState does not fit: ${why}${advice === "" || why.endsWith(".") ? "" : "."}${advice}`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

function assertMigrations(version: number, migrations: { readonly [fromVersion: number]: unknown }): void {
  for (const from of Object.keys(migrations)) {
    const isOlder = /^[1-9]\d*$/.test(from) && Number(from) < version;
    if (!isOlder) throw wrong(`There is a migration from version ${from}, and the state has version ${version}.`);
  }
  for (let from = 1; from < version; from += 1) {
    if (typeof migrations[from] === "function") continue;
    throw wrong(
      `The state has version ${version} and no migration from version ${from}. Add it: migrations: { ${from}: (old) => … }.`,
    );
  }
}

/** Whether the schema accepts a value that JSON would change. */
function fitsAsItIs(schema: StandardSchemaV1, value: unknown): boolean {
  try {
    const result = schema["~standard"].validate(value);
    return !isThenable(result) && result.issues === undefined;
  } catch {
    return false;
  }
}

function wrong(text: string): TroupeError {
  return new TroupeError("invalid-argument", text);
}
