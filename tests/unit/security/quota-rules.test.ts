import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessRules, openAccessRules, openQuotaRules, quotaRules } from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "troupe-quotas-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("quotas", () => {
  it("take each limit from the first entry that fits and names it", () => {
    const quotas = quotaRules([
      { principal: "batch-*", messagesPerSecond: 10 },
      { role: "worker", principal: ["a", "b"], calls: 5 },
      { principal: "*", messagesPerSecond: 100, calls: 50 },
      { address: ["10.0.0.*", "local socket"], channels: 2 },
      { address: "*", channels: 20, types: 3 },
    ]);
    expect(quotas.ofPrincipal({ name: "batch-1" })).toEqual({ messagesPerSecond: 10, calls: 50 });
    expect(quotas.ofPrincipal({ name: "a", roles: ["worker"] })).toEqual({ messagesPerSecond: 100, calls: 5 });
    expect(quotas.ofPrincipal({ name: "c", roles: ["worker"] })).toEqual({ messagesPerSecond: 100, calls: 50 });
    expect(quotas.ofAddress("10.0.0.7")).toEqual({ channels: 2, types: 3 });
    expect(quotas.ofAddress("192.168.0.1")).toEqual({ channels: 20, types: 3 });
  });

  it("stand beside the rules in one file, and errors name their lines", async () => {
    const file = join(folder, "both.yaml");
    writeFileSync(
      file,
      'rules:\n  - { principal: "*", allow: call, types: "*" }\nquotas:\n  - { principal: "*", calls: 7 }\n',
    );
    expect((await openQuotaRules({ file })).ofPrincipal({ name: "a" })).toEqual({ calls: 7 });
    const rules = await openAccessRules({ file });
    expect(rules.decide({ principal: { name: "a" }, action: "call", resource: "x" })).toMatchObject({
      isAllowed: true,
    });
    writeFileSync(file, 'rules: []\nquotas:\n  - { principal: "*", calls: 7 }\n  - { principal: "*", calls: -1 }\n');
    await expect(openQuotaRules({ file })).rejects.toThrow(/both\.yaml:4.*calls must be a whole number/);
    const json = join(folder, "both.json");
    writeFileSync(json, '{"quotas": [\n{"address": "*", "calls": 0}],\n"rules": [\n{"principal": "*"}]}');
    await expect(openQuotaRules({ file: json })).rejects.toThrow(/both\.json:2.*whole number/);
    await expect(openAccessRules({ file: json })).rejects.toThrow(/both\.json:4.*needs either allow or deny/);
    writeFileSync(json, '{"rules": []}');
    expect((await openQuotaRules({ file: json })).ofPrincipal({ name: "a" })).toEqual({});
    writeFileSync(json, '{"rules": [], "quota": []}');
    await expect(openQuotaRules({ file: json })).rejects.toThrow(/and nothing else/);
    expect(accessRules([]).revision).toBeDefined();
  });

  it("and the rules of a file both stay as they were when one of them can't be used any more", async () => {
    const file = join(folder, "one-bad.json");
    const clock = new ManualClock();
    const write = (allow: string, calls: number, second: number) => {
      const rules = [{ principal: "*", [allow]: "call", types: "*" }];
      writeFileSync(file, JSON.stringify({ rules, quotas: [{ principal: "*", calls }] }));
      utimesSync(file, second, second);
      clock.advance(1_000);
    };
    write("allow", 1, 1);
    const [rules, quotas] = [await openAccessRules({ file, clock }), await openQuotaRules({ file, clock })];
    const mayCall = () => rules.decide({ principal: { name: "a" }, action: "call", resource: "x" }).isAllowed === true;
    write("deny", -1, 2);
    expect([mayCall(), quotas.ofPrincipal({ name: "a" })]).toEqual([true, { calls: 1 }]);
    write("forbid", 2, 3);
    expect([mayCall(), quotas.ofPrincipal({ name: "a" })]).toEqual([true, { calls: 1 }]);
    write("deny", 2, 4);
    expect([mayCall(), quotas.ofPrincipal({ name: "a" })]).toEqual([false, { calls: 2 }]);
  });

  it("are read again when their file has changed, and a file that can't be used changes nothing", async () => {
    const file = join(folder, "again.json");
    const clock = new ManualClock();
    const write = (text: string, second: number) => {
      writeFileSync(file, text);
      utimesSync(file, second, second);
      clock.advance(1_000);
    };
    write('{"quotas": [{"principal": "*", "calls": 1}]}', 1);
    const quotas = await openQuotaRules({ file, clock });
    const before = quotas.revision;
    expect(quotas.ofPrincipal({ name: "a" })).toEqual({ calls: 1 });
    write('{"quotas": [{"principal": "*", "calls": 22}]}', 2);
    expect(quotas.ofPrincipal({ name: "a" })).toEqual({ calls: 22 });
    expect(quotas.revision).not.toBe(before);
    write('{"quotas": [', 3);
    expect(quotas.ofPrincipal({ name: "a" })).toEqual({ calls: 22 });
  });
});
