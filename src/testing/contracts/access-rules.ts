import { equal, notEqual, ok } from "node:assert/strict";
import { assertArgument, assertText, withMethods } from "../../core/internal.ts";
import { type AccessDecision, type AccessRequest, type AccessRules, accessActions } from "../../security/internal.ts";
import { runnerKind, type TestRunner } from "./test-runner.ts";

type MaybePromise<T> = T | Promise<T>;

/** Access rules under test. */
export interface AccessRulesAdapter {
  /** Makes rules. The suite makes some for each case. */
  create(): MaybePromise<AccessRules>;
  /** Returns requests that these rules allow. At least one. */
  allowed(): readonly AccessRequest[];
  /** Returns requests that they deny. At least one. */
  denied(): readonly AccessRequest[];
}

const oddNames = ["", " ", "*", "__proto__", "constructor", "a\nb", "\u0000", "\ud800", "x".repeat(100_000)];
/** Ends of topics that begin with a prefix. */
const ends = ["", "a", ".b", ":", "*", "secret"];

/**
 * Registers the contract suite of `AccessRules`; every adapter must pass all of it.
 *
 * @example
 * ```ts
 * describeAccessRules(
 *   "my rules",
 *   {
 *     create: () => myRules(),
 *     allowed: () => [{ principal: { name: "ada" }, action: "call", resource: "writer" }],
 *     denied: () => [{ principal: { name: "guest" }, action: "call", resource: "vault" }],
 *   },
 *   { describe, it },
 * );
 * ```
 */
export function describeAccessRules(name: string, adapter: AccessRulesAdapter, runner: TestRunner): void {
  assertText(name, "The name of the adapter");
  assertArgument(adapter, "The adapter", withMethods("access rules under test,", "create", "allowed", "denied"));
  assertArgument(runner, "The runner", runnerKind);
  runner.describe(`${name}: access rules`, () => {
    for (const [promise, tryIt] of Object.entries(cases)) runner.it(promise, () => tryIt(adapter));
  });
}

const cases: Readonly<Record<string, (adapter: AccessRulesAdapter) => Promise<void>>> = {
  "allow and deny what they should, each time, and at once": async (adapter) => {
    const rules = await adapter.create();
    ok(adapter.allowed().length > 0 && adapter.denied().length > 0, "The adapter names no requests.");
    for (let time = 0; time < 3; time += 1) {
      for (const request of adapter.allowed()) equal(decided(rules, request).isAllowed, true, shown(request));
      for (const request of adapter.denied()) equal(decided(rules, request).isAllowed, false, shown(request));
    }
  },
  "keep their revision as long as nothing changes": async (adapter) => {
    const rules = await adapter.create();
    const { revision } = rules;
    for (const request of [...adapter.allowed(), ...adapter.denied()]) decided(rules, request);
    equal(rules.revision, revision);
    const others = await adapter.create();
    for (const request of adapter.allowed()) equal(decided(others, request).isAllowed, true, shown(request));
  },
  "decide about odd names, and throw for none": async (adapter) => {
    const rules = await adapter.create();
    for (const name of oddNames) {
      for (const action of accessActions) {
        decided(rules, { principal: undefined, action, resource: name });
        decided(rules, { principal: { name, roles: [name], attributes: { [name]: name } }, action, resource: name });
        decided(rules, { principal: { name: "a" }, action, resource: name, isPrefix: true, agent: name });
      }
    }
  },
  "allow a beginning of topics only with all topics that begin so": async (adapter) => {
    const rules = await adapter.create();
    for (const allowed of adapter.allowed()) {
      if (allowed.action !== "subscribe") continue;
      const resource = allowed.isPrefix === true ? allowed.resource : allowed.resource.slice(0, 1);
      for (const beginning of new Set([resource, ""])) {
        const asked = { ...allowed, resource: beginning, isPrefix: true };
        if (!decided(rules, asked).isAllowed) continue;
        for (const end of ends) {
          const one = { ...allowed, resource: beginning + end, isPrefix: false };
          equal(decided(rules, one).isAllowed, true, shown(one));
        }
      }
    }
  },
  "look at the agent that sends only if they say so": async (adapter) => {
    const rules = await adapter.create();
    if (rules.asksAgents) return;
    for (const request of [...adapter.allowed(), ...adapter.denied()]) {
      const { isAllowed } = decided(rules, request);
      for (const agent of ["", "writer", "other"])
        equal(decided(rules, { ...request, agent }).isAllowed, isAllowed, shown(request));
    }
  },
  "tell callers apart by their names, and not by objects": async (adapter) => {
    const rules = await adapter.create();
    for (const request of adapter.allowed()) {
      const { principal } = request;
      const copy = principal && { ...principal, roles: principal.roles && [...principal.roles] };
      if (principal !== undefined) notEqual(copy, principal);
      equal(decided(rules, { ...request, principal: copy }).isAllowed, true, shown(request));
    }
  },
};

function decided(rules: AccessRules, request: AccessRequest): AccessDecision {
  const decision = rules.decide(request);
  equal(typeof decision.isAllowed, "boolean", `${shown(request)}: no decision`);
  for (const text of [decision.rule, decision.place])
    ok(text === undefined || typeof text === "string", `${shown(request)}: the rule or its place must be a text`);
  return decision;
}

function shown({ principal, action, resource }: AccessRequest): string {
  return JSON.stringify([principal?.name?.slice(0, 40), action, resource.slice(0, 40)]);
}
