import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AccessRequest,
  type AccessRule,
  type AccessRules,
  accessRules,
  openAccessRules,
} from "../../../src/security/index.ts";
import { type AccessRulesAdapter, describeAccessRules } from "../../../src/testing/index.ts";

const list: readonly AccessRule[] = [
  { role: "worker", allow: ["register", "read-state", "write-state"], types: ["writer", "edit*"] },
  { principal: "*", allow: "call", types: "*" },
  { principal: "ada", allow: ["subscribe", "publish"], topics: ["news.*", "one"] },
  { name: "no guests", principal: "guest", deny: "call", types: "vault" },
  { name: "no secrets", principal: "*", deny: "subscribe", topics: "news.secret" },
];
const ada = { name: "ada", roles: ["worker"] };
const requests: Pick<AccessRulesAdapter, "allowed" | "denied"> = {
  allowed: () => [
    { principal: ada, action: "register", resource: "editor" },
    { principal: { name: "guest" }, action: "call", resource: "writer" },
    { principal: ada, action: "subscribe", resource: "news.sport.", isPrefix: true },
    { principal: ada, action: "subscribe", resource: "one" },
  ],
  denied: () => [
    { principal: { name: "guest" }, action: "call", resource: "vault" },
    { principal: { name: "guest" }, action: "register", resource: "editor" },
    { principal: ada, action: "subscribe", resource: "", isPrefix: true },
    { principal: ada, action: "subscribe", resource: "news.", isPrefix: true },
    { principal: ada, action: "control", resource: "writer" },
  ],
};

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "troupe-rules-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeAccessRules("rules of data", { create: () => accessRules(list), ...requests }, { describe, it });
for (const kind of ["json", "yaml"]) {
  const create = () => {
    const file = join(folder, `rules.${kind}`);
    // JSON is YAML, too.
    writeFileSync(file, JSON.stringify({ rules: list }, undefined, 1));
    return openAccessRules({ file });
  };
  describeAccessRules(`rules in a file of ${kind}`, { create, ...requests }, { describe, it });
}

describe("the contract suite of access rules", () => {
  /** Runs the suite over rules; returns the cases that they don't pass. */
  async function failed(rules: (good: AccessRules) => AccessRules): Promise<readonly string[]> {
    const cases: { readonly name: string; readonly body: () => Promise<void> }[] = [];
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: (name: string, body: () => Promise<void>) => void cases.push({ name, body }),
    };
    describeAccessRules("bad rules", { create: () => rules(accessRules(list)), ...requests }, runner);
    const failures: string[] = [];
    for (const { name, body } of cases) await body().catch(() => failures.push(name));
    return failures;
  }
  const instead = (good: AccessRules, decide: (request: AccessRequest) => unknown): AccessRules => ({
    revision: good.revision,
    asksAgents: good.asksAgents,
    // The suite is for rules of users, who may return anything.
    decide: (request) => decide(request) as ReturnType<AccessRules["decide"]>,
  });
  const yes = { isAllowed: true, rule: undefined, place: undefined };

  it.each<[string, (good: AccessRules) => AccessRules, RegExp]>([
    ["allow everything", (good) => instead(good, () => yes), /allow and deny/],
    ["answer later", (good) => instead(good, async (request) => good.decide(request)), /allow and deny/],
    [
      "throw for no name",
      (good) =>
        instead(good, (request) => {
          if (request.principal === undefined) throw new Error("who?");
          return good.decide(request);
        }),
      /odd names/,
    ],
    [
      "allow a beginning for one topic's sake",
      (good) => instead(good, (request) => (request.isPrefix && request.resource === "o" ? yes : good.decide(request))),
      /beginning of topics/,
    ],
    [
      "look at agents in secret",
      (good) => instead(good, (request) => (request.agent === "other" ? yes : good.decide(request))),
      /look at the agent/,
    ],
    [
      "have a revision for each look",
      (good) => ({
        ...instead(good, (request) => good.decide(request)),
        get revision() {
          return {};
        },
      }),
      /keep their revision/,
    ],
  ])("finds rules that %s", async (_what, rules, promise) => {
    expect((await failed(rules)).join("; ")).toMatch(promise);
  });
});
