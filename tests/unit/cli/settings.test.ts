import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, onTestFinished, test } from "vitest";
import { addClientFlags } from "../../../src/cli/client/client-flags.ts";
import { configCommand } from "../../../src/cli/commands/config.ts";
import { addHostFlags, assertStateFlags, type HostFlags, hostOptionsOf } from "../../../src/cli/commands/host-flags.ts";
import { withQuotaFlags } from "../../../src/cli/commands/limit-flags.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { applySettings } from "../../../src/cli/settings/apply-settings.ts";
import { settingsOf, unknownVariables } from "../../../src/cli/settings/setting.ts";
import { quotaRules } from "../../../src/security/index.ts";
import { run } from "../../integration/admin/running.ts";

function fileWith(text: string, name = "troupe.yaml"): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-settings-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function applied(file: string | undefined, args: readonly string[] = [], environment = {}) {
  const command = addHostFlags(new Command("host")).exitOverride();
  command.parse([...args, ...(file === undefined ? ["--no-config"] : ["--config", file])], { from: "user" });
  const { found } = await applySettings(command, environment);
  const from = (key: string) => found.find(({ setting }) => setting.key === key)?.from;
  return { flags: command.opts<HostFlags>(), from, command };
}

describe("settings", () => {
  test("a flag wins over a variable, a variable over the file, and the file over a default", async () => {
    const file = fileWith("host:\n  call-timeout-ms: 1\n  grace-seconds: 2\n  max-sessions: 3\n");
    const environment = { TROUPE_CALL_TIMEOUT_MS: "10", TROUPE_GRACE_SECONDS: "20", TROUPE_MAX_CLAIMS: "" };
    const { flags, from } = await applied(file, ["--call-timeout-ms", "100"], environment);
    expect(flags).toMatchObject({ callTimeoutMs: 100, graceSeconds: 20, maxSessions: 3, heartbeatMs: 15_000 });
    const keys = ["call-timeout-ms", "grace-seconds", "max-sessions", "heartbeat-ms", "max-claims"];
    expect(keys.map(from)).toEqual(["flag", "TROUPE_GRACE_SECONDS", `${file}:4`, "default", "default"]);
  });

  test("lists, numbers, words and flags without a value are written as YAML has them; JSON needs no package", async () => {
    const text =
      'host:\n  shared-types: [writer, "editor*"]\n  own-only: true\n  legacy-workers: false\n  admin: false\n';
    const { flags } = await applied(fileWith(text));
    expect(flags).toMatchObject({
      sharedTypes: ["writer", "editor*"],
      ownOnly: true,
      legacyWorkers: false,
      admin: false,
    });
    const json = await applied(fileWith('{"host":{"state":"memory:","max-queued-frames":5}}', "s.json"));
    expect(json.flags).toMatchObject({ state: { kind: "memory" }, maxQueuedFrames: 5 });
    expect((await applied(undefined, [], { TROUPE_OWN_ONLY: "false", TROUPE_ADMIN: "false" })).flags).toMatchObject({
      ...{ ownOnly: false, admin: false },
    });
    expect((await applied(fileWith("client:\n  tls: true\n"))).flags.tlsCert).toBeUndefined();
    expect((await applied(fileWith(""))).from("address")).toBe("default");
  });

  test.each([
    [
      "an unknown setting",
      "host:\n  adress: x\n",
      /troupe\.yaml:2: host has no setting "adress"\. Did you mean address\?/,
    ],
    ["an unknown section", "hots:\n  address: x\n", /The file has no section "hots"\. Did you mean host\?/],
    ["a setting that is like no other", "host:\n  qqqqqqqqqqqq: 1\n", /troupe config lists all settings/],
    [
      "a value that its flag refuses",
      "host:\n  max-sessions: many\n",
      /:2: max-sessions is "many"\. Not a whole number/,
    ],
    ["a word that is no choice", "host:\n  when-full: wait\n", /:2: when-full is "wait"\. Allowed choices are drop/],
    [
      "a value that is not true or false",
      "host:\n  own-only: perhaps\n",
      /:2: own-only is "perhaps"\. Write true or false/,
    ],
    ["a setting without a value", "host:\n  address:\n", /address has no value\. Leave it out/],
    ["a value with parts", "host:\n  address: { a: 1 }\n", /address takes one value/],
    ["a section without settings", "host: 5\n", /host has no settings/],
    ["a list in place of sections", "- host\n", /has no settings\. Write host:/],
    ["a setting that is there twice", "host:\n  address: a\n  address: b\n", /unique/],
  ])("%s is refused, with its line and what to write", async (_what, text, says) => {
    await expect(applied(fileWith(text))).rejects.toMatchObject({
      ...{ code: "invalid-argument", message: expect.stringMatching(says) },
    });
  });

  test("a file that is named and not there is refused; a variable with a wrong value names itself", async () => {
    await expect(applied("/nowhere/troupe.yaml")).rejects.toThrow(/can't be read/);
    await expect(applied(undefined, [], { TROUPE_MAX_SESSIONS: "0" })).rejects.toThrow(
      /^TROUPE_MAX_SESSIONS: max-sessions/,
    );
  });

  test("flags that do not go together are refused also if the file has them", async () => {
    const { command } = await applied(fileWith('host:\n  state: "memory:"\n  take-over: true\n'));
    expect(() => assertStateFlags(command)).toThrow(/--take-over does not go with/);
  });

  test("each flag of troupe host and of clients has one key and one variable of its own", () => {
    const all = [...settingsOf(addHostFlags(new Command("host"))), ...settingsOf(addClientFlags(new Command("send")))];
    const variables = all.map(({ variable }) => variable);
    expect(new Set(variables).size).toBe(variables.length);
    for (const secret of ["TROUPE_TOKENS", "TROUPE_PEER_SECRET", "TROUPE_CLIENT_TOKEN"])
      expect(variables).not.toContain(secret);
    expect(variables).toEqual(
      expect.arrayContaining(["TROUPE_TOKENS_FILE", "TROUPE_CLUSTER", "TROUPE_CLIENT_ADDRESS"]),
    );
    const named = unknownVariables({ TROUPE_CLUSTR: "x", TROUPE_CLUSTER: "y", PATH: "z", TROUPE_TOKENS: "t" }, all);
    expect(named).toEqual([{ name: "TROUPE_CLUSTR", nearest: "TROUPE_CLUSTER" }]);
  });

  test("commands apply them before they run", async () => {
    const file = fileWith("client:\n  address: 192.0.2.1:1\n  tls-sever-name: x\n");
    const program = makeProgram("1.0.0");
    const sent = program.parseAsync(["send", "a/b", "M", "--config", file], { from: "user" });
    await expect(sent).rejects.toThrow(/client has no setting "tls-sever-name"\. Did you mean tls-server-name\?/);
  });
});

test("troupe config prints each setting with its origin, and hides what is secret", async () => {
  const file = fileWith("host:\n  cluster: nats://me:secret@n1:4222\nclient:\n  address: 127.0.0.1:7\n");
  const { out } = await run(configCommand(), "--config", file, "--max-claims", "5", "--json");
  const shown = JSON.parse(out);
  expect(shown).toMatchObject({
    file,
    host: {
      cluster: { value: "nats://hidden@n1:4222", from: `${file}:2` },
      "max-claims": { value: 5, from: "flag" },
      // The default that the host has itself is the one of the help.
      "max-queued-frames": { value: "100000", from: "default" },
    },
    client: { address: { value: "127.0.0.1:7", from: `${file}:4` } },
  });
  expect(Object.keys(shown.host)).not.toContain("config");
  const table = await run(configCommand(), "--config", file, "--given");
  expect(table.out).toMatch(/cluster +nats:\/\/hidden@n1:4222 +.*troupe\.yaml:2/);
  expect(table.out).not.toMatch(/secret|max-queued-frames/);
});

describe("limits and quotas", () => {
  const optionsOf = (...args: readonly string[]) => {
    const command = addHostFlags(new Command("host")).parse([...args], { from: "user" });
    return hostOptionsOf(command.opts<HostFlags>());
  };

  test("each limit of a host and of its listener has a flag; without it the host applies its own default", () => {
    const without = optionsOf();
    for (const name of ["maxQueuedFrames", "maxPendingCalls", "channelWaitMs"])
      expect(without).not.toHaveProperty(name);
    expect(without.channelOptions).not.toHaveProperty("maxConnections");
    expect(
      optionsOf(
        ...["--max-queued-frames", "7", "--max-pending-calls", "8", "--max-subscriptions-per-client", "9"],
        ...["--max-connections", "10", "--idle-timeout-ms", "11", "--keep-alive-timeout-seconds", "12"],
      ),
    ).toMatchObject({
      ...{ maxQueuedFrames: 7, maxPendingCalls: 8, maxSubscriptionsPerClient: 9 },
      channelOptions: { maxConnections: 10, idleTimeoutMs: 11, pingTimeoutMs: 12_000 },
    });
  });

  test("quotas of flags count where the file has none for a principal or an address", () => {
    const flags = { messagesPerSecondPerPrincipal: 5, callsPerPrincipal: 6, connectionsPerAddress: 7 };
    const file = quotaRules([{ principal: "batch", messagesPerSecond: 1 }]);
    const both = withQuotaFlags(file, flags);
    expect(both?.ofPrincipal({ name: "batch" })).toEqual({ messagesPerSecond: 1, calls: 6 });
    expect(both?.ofPrincipal({ name: "other" })).toEqual({ messagesPerSecond: 5, calls: 6 });
    expect(both?.ofAddress("10.0.0.1")).toEqual({ connections: 7 });
    expect(both?.revision).toBe(file.revision);
    expect(withQuotaFlags(undefined, flags)?.ofAddress("10.0.0.1")).toEqual({ connections: 7 });
    expect(withQuotaFlags(file, {})).toBe(file);
    const command = addHostFlags(new Command("host")).parse(["--kept-bytes-per-address", "9"], { from: "user" });
    expect(command.opts()).toMatchObject({ keptBytesPerAddress: 9 });
  });
});
