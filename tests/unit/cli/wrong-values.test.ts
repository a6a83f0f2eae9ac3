import { Command } from "commander";
import { expect, test } from "vitest";
import { addQuotaFlags } from "../../../src/cli/commands/limit-flags.ts";
import { makeProgram } from "../../../src/cli/program.ts";

/** Returns a command and all below it, each with its full name. */
function all(command: Command, before = ""): readonly (readonly [string, Command])[] {
  const name = `${before}${command.name()}`;
  return [[name, command], ...command.commands.flatMap((one) => all(one, `${name} `))];
}

function everyCommand(): readonly (readonly [string, Command])[] {
  return makeProgram("1.0.0").commands.flatMap((one) => all(one));
}

/** Flags whose values are names, places and files. What they name is looked for when the command runs. */
const texts = new Set([
  ...["--address", "--tls-cert", "--tls-key", "--tls-client-ca", "--admin", "--admin-file", "--token-file", "--name"],
  ...["--cluster", "--peer-tls-cert", "--peer-tls-key", "--peer-tls-ca", "--peer-secret"],
  ...["--nats-credentials", "--nats-tls-ca", "--nats-tls-cert", "--nats-tls-key"],
  ...["--worker", "--after", "--prefix", "--content-type"],
  ...["--tokens", "--rules", "--quotas", "--jwt-issuer", "--jwt-audience", "--jwt-keys", "--folder", "--host"],
  ...["--topic", "--reached-by", "--type", "--outcome", "--data", "--idempotency-key"],
  ...["--tls-ca", "--tls-server-name", "--config"],
  ...["topics --principal", "subscriptions list --principal", "runs list --owner"],
]);

const wholeNumber = /Not a whole number from \d+ to \d+, in digits alone\./;
const choices = /Allowed choices are/;

/** Flags of limits and quotas, whose smallest number is 1 or more. */
const limitFlags = [
  ...addQuotaFlags(new Command()).options.map(({ long }) => long ?? ""),
  ...["--max-queued-frames", "--max-pending-calls-per-session", "--max-pending-calls", "--max-types-per-client"],
  ...["--max-subscriptions-per-client", "--max-subscriptions", "--registration-orphan-ms", "--max-connections"],
  ...["--max-concurrent-streams", "--max-header-bytes", "--max-held-bytes", "--max-resets-per-minute"],
  ...["--handshake-timeout-ms", "--idle-timeout-ms", "--request-timeout-ms", "--message-timeout-ms"],
  "--keep-alive-timeout-seconds",
];

/** A value that a flag refuses, and a part of what the command says then. A key may name the command, too. */
const wrong: Readonly<Record<string, readonly [value: string, says: RegExp]>> = {
  ...Object.fromEntries(limitFlags.map((flag) => [flag, ["0", wholeNumber] as const])),
  "--channel-wait-ms": ["-1", wholeNumber],
  "--call-timeout-ms": ["-1", wholeNumber],
  "--grace-seconds": ["1.5", wholeNumber],
  "--max-message-bytes": ["1023", wholeNumber],
  "--max-queued-bytes": ["32MiB", wholeNumber],
  "--max-memory-bytes": ["1024", wholeNumber],
  "--when-full": ["wait", choices],
  "--max-sessions": ["0", wholeNumber],
  "--stock-peer-max-bytes": ["all", wholeNumber],
  "--reconnect-grace-ms": ["2147483648", wholeNumber],
  "--dotnet-errors": ["payload", choices],
  "--keep-alive-seconds": ["2147484", wholeNumber],
  "--heartbeat-ms": ["-5", wholeNumber],
  "--heartbeat-timeout-ms": ["1e3", wholeNumber],
  "--shared-types": ["wri*ter", /with commas between them/],
  "--durable-topics": ["ord*ers", /with commas between them/],
  "--durable-types": ["wri*ter", /with commas between them/],
  "--placement": ["random", choices],
  "--version-policy": ["oldest", choices],
  "--drain-grace-ms": ["0", wholeNumber],
  "--max-claims": ["0", wholeNumber],
  "--state": ["mysql://db", /sqlite:FILE/],
  "--synchronous": ["off", choices],
  "--log-level": ["loud", choices],
  "--log-format": ["xml", choices],
  "--kind": ["lasting", choices],
  "--status": ["done", choices],
  "--from": ["-1", wholeNumber],
  "--reason": ["x".repeat(1_001), /at most 1000 characters/],
  "tail --agent": ["/7", /write a type, or type\/key/],
  "--count": ["0", wholeNumber],
  "--watch-seconds": ["-1", wholeNumber],
  "--seconds": ["0", wholeNumber],
  "--in-flight": ["1,0", /Not whole numbers from 1 to 10000 with commas/],
  "--bytes": ["13", /Not whole numbers from 14 to 1048576 with commas/],
  "--subscribers": ["1,,2", /Not whole numbers from 0 to 64 with commas/],
  "--timeout-ms": ["0", wholeNumber],
  "--wait-ms": ["-1", wholeNumber],
  "--sample-ms": ["99", wholeNumber],
  "--cluster-name": ["Shop", /a-z, 0-9 and -/],
  "--peer-address": ["here", /Not an address|address/],
  "--advertise-peer": ["here", /address/],
  "--advertise-workers": ["here", /address/],
  "--lease-ms": ["2999", wholeNumber],
  "--worker-lease-ms": ["100", wholeNumber],
  "--max-routes": ["-1", wholeNumber],
  "--move-timeout-ms": ["99", wholeNumber],
  "--max-peer-queued-bytes": ["1023", wholeNumber],
  "--max-peer-queued-frames": ["15", wholeNumber],
  "--days": ["826", wholeNumber],
  "--limit": ["0", wholeNumber],
  "--agent": ["writer", /write type\/key/],
  "--principal": ["", /empty/],
  "--role": ["", /empty/],
  "access check --agent": ["", /empty/],
  "--schema-version": ["0", wholeNumber],
  "--grace-ms": ["86400001", wholeNumber],
};

const flags = everyCommand().flatMap(([name, { options }]) =>
  options.filter(({ required, optional }) => required || optional).map(({ long }) => [name, long ?? ""] as const),
);
const isText = ([name, flag]: readonly [string, string]): boolean => texts.has(flag) || texts.has(`${name} ${flag}`);

test("every flag with a value that a command can judge has its wrong value here", () => {
  const known = new Set([...texts, ...Object.keys(wrong)]);
  expect(flags.filter((flag) => !isText(flag) && !known.has(flag[1]))).toEqual([]);
});

test.each(flags.filter((flag) => !isText(flag)))(
  "troupe %s refuses a wrong value of %s in one line",
  async (name, flag) => {
    const [, command] = everyCommand().find(([one]) => one === name) ?? [];
    if (command === undefined) throw new Error(`there is no command ${name}`);
    const [value, says] = wrong[`${name} ${flag}`] ?? wrong[flag] ?? ["", /./];
    let said = "";
    command.exitOverride().configureOutput({ writeErr: (text) => (said += text) });
    await expect(command.parseAsync([flag, value], { from: "user" })).rejects.toMatchObject({ exitCode: 1 });
    expect(said).toMatch(says);
    expect(said).toContain(flag);
    expect(said.trim().split("\n")).toHaveLength(1);
  },
);

/** Texts that JavaScript reads as numbers, or that are no number. */
const oddNumbers = ["1e3", "0x10", "", " ", "NaN", "-1", "+1", "1.0", "1_000", "Infinity", "٣", "99999999999999999999"];
const numberFlags = Object.keys(wrong).filter((flag) => wrong[flag]?.[1] === wholeNumber);

test.each(flags.filter(([, flag]) => numberFlags.includes(flag)))(
  "troupe %s takes digits alone for %s, and says within which limits",
  async (name, flag) => {
    const [, command] = everyCommand().find(([one]) => one === name) ?? [];
    if (command === undefined) throw new Error(`there is no command ${name}`);
    let said = "";
    command.exitOverride().configureOutput({ writeErr: (line) => (said += line) });
    for (const text of oddNumbers) {
      said = "";
      await expect(command.parseAsync([flag, text], { from: "user" })).rejects.toMatchObject({ exitCode: 1 });
      expect(said).toMatch(wholeNumber);
    }
  },
);
