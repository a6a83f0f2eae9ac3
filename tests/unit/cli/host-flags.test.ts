import { Command } from "commander";
import { expect, test } from "vitest";
import { type ClusterFlags, settingsOf } from "../../../src/cli/commands/cluster-flags.ts";
import { installedCron } from "../../../src/cli/commands/host.ts";
import { addHostFlags, assertStateFlags, type HostFlags, hostOptionsOf } from "../../../src/cli/commands/host-flags.ts";

function parsed(...args: readonly string[]): Command {
  const command = addHostFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(args, { from: "user" });
}

function optionsOf(...args: readonly string[]) {
  return hostOptionsOf(parsed(...args).opts<HostFlags>());
}

test("--heartbeat-timeout-ms and --own-only set the options of these names; their defaults are the host's own", () => {
  expect(optionsOf()).toMatchObject({ heartbeatTimeoutMs: 30_000 });
  expect(optionsOf()).not.toHaveProperty("ownOnly");
  expect(optionsOf("--heartbeat-timeout-ms", "60000", "--own-only")).toMatchObject({
    heartbeatTimeoutMs: 60_000,
    ownOnly: true,
  });
  expect(() => optionsOf("--heartbeat-timeout-ms", "-1")).toThrow(/Not a whole number/);
});

test("--shared-types takes agent types with commas between them, and refuses a text that can't name any", () => {
  expect(optionsOf("--shared-types", "writer, editor*,*").sharedTypes).toEqual(["writer", "editor*", "*"]);
  for (const text of ["", "writer editor", "writer,,editor", "wri*ter"]) {
    expect(() => optionsOf("--shared-types", text)).toThrow(/with commas between them/);
  }
});

test("--name takes any name but an empty one", () => {
  expect(parsed("--name", "east 1").opts<HostFlags>().name).toBe("east 1");
  for (const name of ["", "  "]) expect(() => parsed("--name", name)).toThrow(/It is empty\. Name the host/);
});

test("the bounds of a host's links and moves are flags; their defaults are the host's own", () => {
  const settings = (...args: readonly string[]) =>
    settingsOf(parsed("--cluster", "nats://127.0.0.1:1", ...args).opts<ClusterFlags & HostFlags>());
  const names = ["maxRoutes", "moveTimeoutMs", "maxPeerQueuedBytes", "maxPeerQueuedFrames"] as const;
  for (const name of names) expect(settings()[name]).toBeUndefined();
  const links = ["--max-peer-queued-bytes", "4096", "--max-peer-queued-frames", "100"];
  expect(settings("--max-routes", "5", "--move-timeout-ms", "700", ...links)).toMatchObject({
    ...{ maxRoutes: 5, moveTimeoutMs: 700, maxPeerQueuedBytes: 4_096, maxPeerQueuedFrames: 100 },
  });
  expect(() => settings("--max-peer-queued-frames", "1")).toThrow(/Not a whole number/);
  expect(settings().balanceWorkers).toBe(true);
  expect(settings("--no-balance-workers").balanceWorkers).toBe(false);
});

test("--dotnet-errors says what .NET's workers get in place of an error; nothing unless it is given", () => {
  expect(optionsOf().dotnetErrors).toBe("withhold");
  expect(optionsOf("--dotnet-errors", "status").dotnetErrors).toBe("status");
  expect(() => optionsOf("--dotnet-errors", "payload")).toThrow(/withhold, status/);
});

test("flags that say nothing about the store that is named are refused, with what to do", () => {
  const check = (...args: readonly string[]) => assertStateFlags(parsed(...args));
  expect(() => check("--take-over", "--state", "memory:")).toThrow(
    /--take-over does not go with.*Leave --take-over out/,
  );
  expect(() => check("--synchronous", "normal", "--state", "memory:")).toThrow(/--synchronous does not go with/);
  expect(() => check("--synchronous", "full", "--state", "postgres://h/d")).toThrow(/only a SQLite file/);
  check("--state", "memory:");
  check("--take-over", "--state", "postgres://h/d");
  check("--take-over", "--synchronous", "normal");
});

test("troupe host knows cron patterns where croner is installed, and starts without it", async () => {
  expect((await installedCron())?.next("0 9 * * *", "UTC", 0)).toBe(9 * 3_600_000);
  const missing = Object.assign(new Error("Cannot find package 'croner'"), { code: "ERR_MODULE_NOT_FOUND" });
  expect(await installedCron(() => Promise.reject(missing))).toBeUndefined();
  await expect(installedCron(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
});
