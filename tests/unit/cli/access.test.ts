import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkAccess, textOf } from "../../../src/cli/commands/access.ts";
import { rulesOf } from "../../../src/cli/commands/host-authenticator.ts";
import { tokenAuthenticator } from "../../../src/security/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-"));
afterAll(() => rmSync(folder, { recursive: true }));
const rules = join(folder, "r.yaml");
writeFileSync(
  rules,
  `rules:
  - { name: clerks, role: clerk, allow: [call, subscribe], types: "*", topics: "news*" }
  - { principal: mallory, deny: call, types: vault }
`,
);

describe("troupe access check", () => {
  it("says which rule of which line decides, and that none does", async () => {
    const flags = { rules, json: false, principal: "ada", role: ["clerk"] };
    expect(await checkAccess("call", "vault", flags)).toEqual({ isAllowed: true, rule: "clerks", place: "r.yaml:2" });
    const mallory = { ...flags, principal: "mallory" };
    const denied = { isAllowed: false, rule: "rule 2", place: "r.yaml:3" };
    expect(await checkAccess("call", "vault", mallory)).toEqual(denied);
    const none = { isAllowed: false, rule: undefined, place: undefined };
    expect(await checkAccess("publish", "news", flags)).toEqual(none);
    expect(await checkAccess("subscribe", "news*", flags)).toMatchObject({ isAllowed: true });
    expect(await checkAccess("subscribe", "*", flags)).toEqual(none);
    const request = { principal: { name: "mal\u001b[2J" }, action: "call", resource: "vault" } as const;
    const text = textOf(denied, request);
    expect(text).toMatch(/^denied: mal.* may not call vault by the rule rule 2 \(r\.yaml:3\)$/);
    expect(text).not.toContain("\u001b");
    expect(textOf(none, request)).toMatch(/no rule allows it$/);
  });

  it("says which role is missing where --role was left out", async () => {
    const flags = { rules, json: false, principal: "ada" };
    const decision = await checkAccess("call", "desk", flags);
    expect(decision).toMatchObject({ isAllowed: false, byRole: { role: "clerk", rule: "clerks" } });
    const request = { principal: { name: "ada" }, action: "call", resource: "desk" } as const;
    expect(textOf(decision, request)).toBe(
      "denied: ada may not call desk without a role; the rule clerks allows it to clerk. Name the roles of the caller with --role",
    );
    expect(await checkAccess("call", "desk", { ...flags, role: ["guest"] })).not.toHaveProperty("byRole");
    expect(await checkAccess("call", "vault", { ...flags, principal: "mallory" })).not.toHaveProperty("byRole");
    expect(await checkAccess("publish", "news", flags)).not.toHaveProperty("byRole");
    expect(await checkAccess("call", "desk", { rules, json: false })).not.toHaveProperty("byRole");
  });

  it("says what is wrong with the quotas beside the rules, as a host with this file does", async () => {
    const file = join(folder, "q.yaml");
    writeFileSync(
      file,
      `rules: [{ principal: "*", allow: call, types: "*" }]\nquotas: [{ principal: "*", calls: 0 }]\n`,
    );
    await expect(checkAccess("call", "vault", { rules: file, json: false })).rejects.toThrow(
      /quota 1 \(q\.yaml:2\): calls/,
    );
  });

  it("says in one line where a file is no YAML", async () => {
    const file = join(folder, "broken.yaml");
    writeFileSync(file, "rules: [\n");
    await expect(checkAccess("call", "vault", { rules: file, json: false })).rejects.toThrow(/at line 2, column 1$/);
  });

  it("is not for rules that nobody can be held to: --rules needs an authenticator", async () => {
    const logger = new RecordingLogger();
    await expect(rulesOf({ rules }, { authenticator: undefined, logger })).rejects.toThrow(/use --tokens/);
    const authenticator = tokenAuthenticator({ tokens: [{ name: "ada", token: "ada-5f0c2b9d7e61aa" }] });
    expect(await rulesOf({ rules }, { authenticator, logger })).toBeDefined();
    expect(await rulesOf({}, { authenticator, logger })).toBeUndefined();
  });
});
