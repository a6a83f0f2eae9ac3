import { deepEqual, equal, ok } from "node:assert/strict";
import { assertArgument, assertText, withMethods } from "../../core/internal.ts";
import type { Authentication, Authenticator, Caller } from "../../security/internal.ts";
import { runnerKind, type TestRunner } from "./test-runner.ts";

type MaybePromise<T> = T | Promise<T>;

/** An authenticator under test. */
export interface AuthenticatorAdapter {
  /** Makes an authenticator. The suite makes one for each case. */
  create(): MaybePromise<Authenticator>;
  /** Returns the metadata or certificates of callers that it knows, each with the name of its principal. At least two names. */
  known(): MaybePromise<readonly { readonly name: string; readonly shows: Partial<Caller> }[]>;
  /** Returns wrong metadata or certificates: forged, expired, or of another caller. */
  wrong(): MaybePromise<readonly { readonly what: string; readonly shows: Partial<Caller> }[]>;
}

const atOnce = 1_000;
const oddTexts = [
  "",
  " ",
  "Bearer",
  "Bearer ",
  "Basic YWxpY2U6eA==",
  "Bearer __proto__",
  "Bearer constructor",
  "Bearer a b",
  "\u0000",
];

/**
 * Registers the contract suite of `Authenticator`; every adapter must pass all of it.
 *
 * @example
 * ```ts
 * describeAuthenticator(
 *   "my authenticator",
 *   {
 *     create: () => myAuthenticator(),
 *     known: () => [
 *       { name: "alice", shows: { metadata: { authorization: "Bearer of-alice" } } },
 *       { name: "bob", shows: { metadata: { authorization: "Bearer of-bob" } } },
 *     ],
 *     wrong: () => [{ what: "an expired token", shows: { metadata: { authorization: "Bearer old" } } }],
 *   },
 *   { describe, it },
 * );
 * ```
 */
export function describeAuthenticator(name: string, adapter: AuthenticatorAdapter, runner: TestRunner): void {
  assertText(name, "The name of the adapter");
  assertArgument(adapter, "The adapter", withMethods("an authenticator under test,", "create", "known", "wrong"));
  assertArgument(runner, "The runner", runnerKind);
  runner.describe(`${name}: an authenticator`, () => {
    for (const [promise, tryIt] of Object.entries(cases)) runner.it(promise, () => tryIt(adapter));
  });
}

const cases: Readonly<Record<string, (adapter: AuthenticatorAdapter) => Promise<void>>> = {
  "knows each caller by its name, each time": async (adapter) => {
    const authenticator = await adapter.create();
    for (const { name, shows } of [...(await adapter.known()), ...(await adapter.known())]) {
      const outcome = await authenticator.authenticate(callerOf(shows));
      equal(outcome.at, "known", `${name}: ${JSON.stringify(outcome)}`);
      equal(outcome.at === "known" && outcome.principal.name, name);
    }
  },
  "tells callers that come together apart": async (adapter) => {
    const authenticator = await adapter.create();
    const known = await adapter.known();
    ok(new Set(known.map(({ name }) => name)).size > 1, "The adapter names one principal alone.");
    const asked = Array.from({ length: atOnce }, (_, index) => known[index % known.length]);
    const outcomes = await Promise.all(
      asked.map(async (one) => (await authenticator.authenticate(callerOf(one?.shows ?? {}))) satisfies Authentication),
    );
    const names = outcomes.map((outcome) => (outcome.at === "known" ? outcome.principal.name : outcome.at));
    deepEqual(
      names,
      asked.map((one) => one?.name),
    );
  },
  "does not know a caller that shows nothing": async (adapter) => {
    const authenticator = await adapter.create();
    equal((await authenticator.authenticate(callerOf({}))).at, "unknown");
  },
  "knows no caller that shows what is wrong, and throws for none": async (adapter) => {
    const authenticator = await adapter.create();
    for (const { what, shows } of await adapter.wrong()) {
      const { at } = await authenticator.authenticate(callerOf(shows));
      ok(at === "unknown" || at === "refused", `${what}: ${at}`);
    }
  },
  "knows no caller that shows odd texts, and throws for none": async (adapter) => {
    const authenticator = await adapter.create();
    for (const authorization of [...oddTexts, `Bearer ${"x".repeat(60_000)}`, `Bearer ${".".repeat(1_000)}`]) {
      const { at } = await authenticator.authenticate(callerOf({ metadata: { authorization } }));
      ok(at === "unknown" || at === "refused", `${JSON.stringify(authorization.slice(0, 40))}: ${at}`);
    }
  },
  "puts nothing that a caller shows into its reasons": async (adapter) => {
    const authenticator = await adapter.create();
    for (const { shows } of await adapter.wrong()) {
      const outcome = await authenticator.authenticate(callerOf(shows));
      if (outcome.at === "known") continue;
      for (const value of Object.values(shows.metadata ?? {})) {
        for (const part of value.split(/\s+/).filter(({ length }) => length >= 8))
          ok(!outcome.reason.includes(part), "A reason has what the caller showed.");
      }
    }
  },
};

function callerOf(shows: Partial<Caller>): Caller {
  const signal = new AbortController().signal;
  return { method: "OpenChannel", metadata: {}, peer: "192.0.2.1:50000", certificate: undefined, signal, ...shows };
}
