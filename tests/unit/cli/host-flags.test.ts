import { Command } from "commander";
import { expect, test } from "vitest";
import { addHostFlags, type HostFlags, hostOptionsOf } from "../../../src/cli/commands/host-flags.ts";

function optionsOf(...args: readonly string[]) {
  const command = addHostFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return hostOptionsOf(command.parse(args, { from: "user" }).opts<HostFlags>());
}

test("--heartbeat-timeout-ms and --own-only set the options of these names; their defaults are the host's own", () => {
  expect(optionsOf()).toMatchObject({ heartbeatTimeoutMs: 30_000, ownOnly: false });
  expect(optionsOf("--heartbeat-timeout-ms", "60000", "--own-only")).toMatchObject({
    heartbeatTimeoutMs: 60_000,
    ownOnly: true,
  });
  expect(() => optionsOf("--heartbeat-timeout-ms", "-1")).toThrow(/Not a whole number/);
});

test("--dotnet-errors says what .NET's workers get in place of an error; nothing unless it is given", () => {
  expect(optionsOf().dotnetErrors).toBe("withhold");
  expect(optionsOf("--dotnet-errors", "status").dotnetErrors).toBe("status");
  expect(() => optionsOf("--dotnet-errors", "payload")).toThrow(/withhold, status/);
});
