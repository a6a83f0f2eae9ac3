import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AccessRequest, type AccessRule, accessRules, openAccessRules } from "../../../src/security/index.ts";
import { loadRulesParser } from "../../../src/security/rules/rules-text.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const alice = { name: "alice", roles: ["worker", "reader"] };
const asks = (action: AccessRequest["action"], resource: string, more: Partial<AccessRequest> = {}): AccessRequest => ({
  ...{ principal: alice, action, resource },
  ...more,
});
/** The rule that allows, with a + before it, or that denies, with a -. */
const by = (rules: readonly AccessRule[], request: AccessRequest): string => {
  const { isAllowed, rule } = accessRules(rules).decide(request);
  return `${isAllowed ? "+" : "-"}${rule ?? ""}`;
};

describe("rules of data", () => {
  it("deny what no rule allows", () => {
    expect(by([], asks("call", "vault"))).toBe("-");
    expect(by([{ principal: "bob", allow: "call", types: "vault" }], asks("call", "vault"))).toBe("-");
    expect(by([{ principal: "alice", allow: "call", types: "vault" }], asks("register", "vault"))).toBe("-");
  });

  it("let a rule that denies win, wherever it stands", () => {
    const allow: AccessRule = { name: "all", principal: "*", allow: "*", types: "*", topics: "*" };
    const deny: AccessRule = { name: "no", role: "reader", deny: "call", types: "vault*" };
    for (const rules of [
      [allow, deny],
      [deny, allow],
    ]) {
      expect(by(rules, asks("call", "vault.main"))).toBe("-no");
      expect(by(rules, asks("call", "editor"))).toBe("+all");
      expect(by(rules, asks("call", "vault", { principal: { name: "bob" } }))).toBe("+all");
    }
  });

  it("name the first rule of the list that allows", () => {
    const rules: readonly AccessRule[] = [
      { name: "one", role: "nobody", allow: "call", types: "*" },
      { name: "two", role: "worker", allow: "call", types: "va*" },
      { name: "three", principal: "alice", allow: "call", types: "vault" },
    ];
    expect(by(rules, asks("call", "vault"))).toBe("+two");
  });

  it.each([
    ["alice", "alice", true],
    ["al*", "alice", true],
    ["*", "alice", true],
    ["alice", "alice2", false],
    ["alice*", "alic", false],
    ["spiffe://a/*", "spiffe://a/ns/writer", true],
    ["spiffe://a/*", "spiffe://ab/ns/writer", false],
  ])("read a principal %s for the caller %s: %s", (principal, name, isAllowed) => {
    const rules = accessRules([{ principal, allow: "call", types: "t" }]);
    expect(rules.decide(asks("call", "t", { principal: { name } })).isAllowed).toBe(isAllowed);
  });

  it("hold for callers that fit all of principal, role and agent", () => {
    const rules: readonly AccessRule[] = [
      { principal: "alice", role: "worker", agent: ["writer", "edit*"], allow: ["call"], types: "vault" },
    ];
    expect(by(rules, asks("call", "vault", { agent: "writer" }))).toBe("+rule 1");
    expect(by(rules, asks("call", "vault", { agent: "editor" }))).toBe("+rule 1");
    expect(by(rules, asks("call", "vault", { agent: "other" }))).toBe("-");
    expect(by(rules, asks("call", "vault"))).toBe("-");
    expect(by(rules, asks("call", "vault", { agent: "writer", principal: { name: "alice" } }))).toBe("-");
    expect(by(rules, asks("call", "vault", { agent: "writer", principal: { name: "bob", roles: ["worker"] } }))).toBe(
      "-",
    );
    expect(accessRules(rules).asksAgents).toBe(true);
  });

  it("know a caller without a name as one of everybody alone", () => {
    const anonymous = { principal: undefined };
    expect(by([{ principal: "*", allow: "call", types: "t" }], asks("call", "t", anonymous))).toBe("+rule 1");
    expect(by([{ principal: "a*", allow: "call", types: "t" }], asks("call", "t", anonymous))).toBe("-");
    expect(by([{ role: "*", allow: "call", types: "t" }], asks("call", "t", anonymous))).toBe("-");
  });

  // Topics that begin with the resource are all to be allowed, and none of them may be denied.
  it.each<[AccessRule["topics"], string, boolean]>([
    ["*", "", true],
    ["news*", "", false],
    ["news*", "new", false],
    ["news*", "news", true],
    ["news*", "news.sport", true],
    ["news", "news", false],
    [["a*", "b*"], "", false],
  ])("that allow topics %s let somebody subscribe to all that begin with '%s': %s", (topics, resource, isAllowed) => {
    const rules = accessRules([{ principal: "*", allow: "subscribe", topics: topics ?? "" }]);
    expect(rules.decide(asks("subscribe", resource, { isPrefix: true })).isAllowed).toBe(isAllowed);
  });

  it.each([
    ["news.secret", "", true],
    ["news.secret", "news", true],
    ["news.secret*", "news", true],
    ["news*", "news.secret", true],
    ["news.secret", "news.secret", true],
    ["news.secret", "news.sport", false],
    ["news.secret", "news.secret2", false],
    ["news.secret*", "old", false],
  ])("that deny topics %s deny a subscription to all that begin with '%s': %s", (topics, resource, isDenied) => {
    const rules = accessRules([
      { principal: "*", allow: "subscribe", topics: "*" },
      { principal: "*", deny: "subscribe", topics },
    ]);
    expect(rules.decide(asks("subscribe", resource, { isPrefix: true })).isAllowed).toBe(!isDenied);
  });

  it("read names of an object's own fields as any other", () => {
    const rules = accessRules([{ principal: "__proto__", allow: "call", types: "constructor" }]);
    expect(rules.decide(asks("call", "constructor")).isAllowed).toBe(false);
    expect(rules.decide(asks("call", "toString", { principal: { name: "__proto__" } })).isAllowed).toBe(false);
    expect(rules.decide(asks("call", "constructor", { principal: { name: "__proto__" } })).isAllowed).toBe(true);
  });

  it.each<[string, unknown, RegExp]>([
    ["nobody", { allow: "call", types: "t" }, /"rule 1": it names no caller/],
    ["neither allow nor deny", { principal: "a", types: "t" }, /either allow or deny/],
    ["allow and deny", { principal: "a", allow: "call", deny: "call", types: "t" }, /either allow or deny/],
    [
      "an unknown field",
      { principals: "a", allow: "call", types: "t" },
      /unknown field "principals". Did you mean principal\?/,
    ],
    [
      "an unknown action",
      { principal: "a", allow: "calls", types: "t" },
      /unknown action "calls". Did you mean call\?/,
    ],
    ["no types", { principal: "a", allow: "call" }, /call needs types/],
    ["topics for types", { principal: "a", allow: "call", types: "t", topics: "t" }, /Leave topics out/],
    ["a * in the middle", { principal: "a", allow: "call", types: "a*b" }, /a \* that is not at its end/],
    ["a number for a name", { principal: 7, allow: "call", types: "t" }, /Put it in quotes/],
    ["an empty list", { principal: [], allow: "call", types: "t" }, /has 0 names/],
    [
      "an agent that registers",
      { agent: "a", allow: "register", types: "t" },
      /agent goes with call and publish alone/,
    ],
    ["a name with a line end", { name: "a\nb", principal: "a", allow: "call", types: "t" }, /no control characters/],
    ["a list", [], /it is not a rule/],
  ])("with %s are refused, and the error says what to write", (_what, rule, text) => {
    // A program in JavaScript may pass anything.
    expect(() => accessRules([rule as AccessRule])).toThrow(text);
  });

  it("with two rules of one name, with too many, or that are no list are refused", () => {
    const rule: AccessRule = { name: "a", principal: "a", allow: "call", types: "t" };
    expect(() => accessRules([rule, rule])).toThrow(/another rule has this name/);
    const many = Array.from({ length: 1_001 }, () => ({ ...rule, name: undefined }));
    expect(() => accessRules(many)).toThrow(/1000 is the most/);
    expect(() => accessRules({} as never)).toThrow(/not a list/);
  });
});

describe("a file of rules", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "troupe-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const yaml = `# rules
rules:
  - name: clerks
    role: clerk
    allow: [call, publish]
    types: ["vault", 'shop*']
    topics: "*"
  - principal: mallory
    deny: call
    types: vault
`;
  const json = `{
  "rules": [
    { "name": "clerks", "role": "clerk", "allow": ["call", "publish"], "types": ["vault", "shop*"],
      "topics": "{ [ \\" *" },
    {
      "principal": "mallory", "deny": "call", "types": "vault"
    }
  ]
}`;

  it.each([
    ["rules.yaml", yaml, 3, 8],
    ["rules.json", json, 3, 5],
  ])("%s gives the line of the rule that decides", async (name, text, clerks, mallory) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    const rules = await openAccessRules({ file });
    const clerk = { principal: { name: "c", roles: ["clerk"] } };
    expect(rules.decide(asks("call", "shop.1", clerk))).toEqual({
      ...{ isAllowed: true, rule: "clerks", place: `${name}:${clerks}` },
    });
    expect(rules.decide(asks("call", "vault", { principal: { name: "mallory" } }))).toEqual({
      ...{ isAllowed: false, rule: "rule 2", place: `${name}:${mallory}` },
    });
  });

  it("is read again when it has changed, and has another revision then", async () => {
    const clock = new ManualClock();
    const logger = new RecordingLogger();
    const file = join(folder, "r.yaml");
    writeFileSync(file, "rules: [{ principal: alice, allow: call, types: a }]");
    const rules = await openAccessRules({ file, clock, logger });
    const before = rules.revision;
    expect(rules.decide(asks("call", "a")).isAllowed).toBe(true);
    writeFileSync(`${file}.new`, "rules: [{ principal: alice, allow: call, types: b }]");
    renameSync(`${file}.new`, file);
    clock.advance(1_000);
    expect(rules.revision).not.toBe(before);
    expect(rules.decide(asks("call", "a")).isAllowed).toBe(false);
    expect(rules.decide(asks("call", "b")).isAllowed).toBe(true);
    expect(logger.texts("info")).toEqual(["the rules are read again: their file has changed"]);
  });

  it.each([
    ["a rule that can't be used", "rules: [{ principal: alice, allow: calls, types: a }]", /r\.yaml:1/],
    ["broken YAML", "rules: [", /can't be read again/],
    ["no rules", "", /can't be read again/],
    ["something else beside the rules", "rules: []\nroles: []", /can't be read again/],
    ["aliases without end", `a: &a [x]\n${"b: &b [*a, *a]\n".repeat(2)}rules: []`, /can't be read again/],
  ])("that has %s by now changes nothing, and the log says so", async (_what, text, logged) => {
    const clock = new ManualClock();
    const logger = new RecordingLogger();
    const file = join(folder, "r.yaml");
    writeFileSync(file, "rules: [{ principal: alice, allow: call, types: a }]");
    const rules = await openAccessRules({ file, clock, logger });
    const before = rules.revision;
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    clock.advance(1_000);
    expect(rules.revision).toBe(before);
    expect(rules.decide(asks("call", "a")).isAllowed).toBe(true);
    expect(JSON.stringify(logger.lines)).toMatch(logged);
  });

  it("that can't be used at the start is refused with its name", async () => {
    await expect(openAccessRules({ file: join(folder, "none.yaml") })).rejects.toThrow(/none\.yaml/);
    const file = join(folder, "r.json");
    writeFileSync(file, '{"rules":[\n{"principal":"a","allow":"call","typos":"t"}]}');
    await expect(openAccessRules({ file })).rejects.toThrow(/"rule 1" \(r\.json:2\): unknown field "typos"/);
  });

  it("in YAML needs the package yaml, and the error says how to install it; JSON needs none", async () => {
    const missing = () => Promise.reject(new Error("not found"));
    await expect(loadRulesParser("r.yaml", missing)).rejects.toThrow(/npm install yaml@2/);
    expect((await loadRulesParser("r.json", missing))('{"rules":[]}')).toMatchObject({ rules: [] });
  });
});
