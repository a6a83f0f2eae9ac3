// A locked host: TLS, tokens and rules, set up from nothing. A worker serves a vault, Ada opens it, and others try what they may not. Then
// the host's certificate and all tokens are replaced, and no session is lost.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import { AgentId, ClosureAgent, TroupeError, TypePrefixSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { troupeCommand } from "../support/command-line.ts";
import { type RunningProgram, startProgram } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { workerAt } from "./connect.ts";
import { Open, Opened } from "./messages.ts";

await using folder = await temporaryFolder();
const file = (name: string) => join(folder.path, name);
const vault = new AgentId("vault", "main");

// An authority for development, and a certificate of it for the host. In production your own authority makes them.
await troupe("certs", "dev", "--folder", "troupe-certs");
const caFile = file("troupe-certs/ca.crt");

// Who may come in, and what each may do.
await giveTokens("vault-worker", "ada", "mallory");
await writeFile(
  file("rules.json"),
  JSON.stringify(
    {
      rules: [
        { name: "the worker serves the vault", principal: "vault-worker", allow: "register", types: "vault" },
        { name: "all open the vault", principal: "*", allow: "call", types: "vault" },
        { name: "Mallory keeps away from the vault", principal: "mallory", deny: "call", types: "vault" },
      ],
      quotas: [{ principal: "*", channels: 20, messagesPerSecond: 1_000 }],
    },
    null,
    2,
  ),
);

await using host = startProgram(
  troupeCommand(),
  [
    ...["host", "--address", "127.0.0.1:0", "--name", "locked", "--state", "memory:"],
    ...["--tls-cert", "troupe-certs/host.crt", "--tls-key", "troupe-certs/host.key"],
    ...["--tokens", "tokens", "--rules", "rules.json"],
  ],
  { onLine: () => {}, cwd: folder.path },
);
const address = /127\.0\.0\.1:\d+/.exec(await host.line("troupe host listening on"))?.[0] ?? "";

const workerFile = import.meta.filename.replace(/main(\.\w+)$/, "worker$1");
await using worker = startProgram(workerFile, [address, caFile, file("vault-worker.token")], {
  onLine: (line) => console.log(`vault │ ${line}`),
});
await worker.line("ready");

console.log("\nAda opens the vault:");
await using ada = workerAt(address, "ada", { caFile, tokenFile: file("ada.token") });
await ada.start();
ada.addMessageSerializer([Open, Opened]);
assert.deepEqual(await openBy(ada), { by: "ada", times: 1 });

console.log("\nThe host knows Mallory, and the rules stop her:");
await using mallory = workerAt(address, "mallory", { caFile, tokenFile: file("mallory.token") });
await mallory.start();
mallory.addMessageSerializer([Open, Opened]);
await refused("opening the vault", () => openBy(mallory), /Mallory keeps away from the vault/);
await refused("serving a vault of her own", () =>
  ClosureAgent.registerClosure(mallory, "vault", () => Opened({ by: "mallory", times: 0 }), { types: [Open] }),
);
await refused("hearing all events", () => mallory.addSubscription(new TypePrefixSubscription("", "spy")));
await troupe("access", "check", "call", "vault", "--principal", "mallory", "--rules", "rules.json");

console.log("\nStrangers do not come in:");
await writeFile(file("wrong.token"), token());
await refused("a wrong token", () => comeIn(workerAt(address, "stranger", { caFile, tokenFile: file("wrong.token") })));
await refused("no token", () => comeIn(workerAt(address, "stranger", { caFile })));
await refused("no TLS", () => comeIn(new GrpcWorkerAgentRuntime(address)));

console.log("\nAll is replaced, while the sessions go on:");
const [certificate, adasOldToken] = [await serialNumber(), await readFile(file("ada.token"))];
await troupe("certs", "dev", "--folder", "troupe-certs");
await giveTokens("vault-worker", "ada", "mallory");
await writeFile(file("old.token"), adasOldToken);
while ((await serialNumber()) === certificate) await pause(50);
console.log("  the host shows its new certificate");
while (await isLetIn(file("old.token"))) await pause(50);
console.log("  the host refuses Ada's old token");
assert.ok(await isLetIn(file("ada.token")));
console.log("  Ada's new token is good");
assert.deepEqual(await openBy(ada), { by: "ada", times: 2 });

assert.equal(await worker.stop(), 0);
assert.equal(await host.stop(), 0);

/** Gives each of these names a new token, in a file of its own, and tells the host. An older one is good no longer. */
async function giveTokens(...names: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const name of names) {
    const secret = token();
    await writeFile(file(`${name}.token`), secret, { mode: 0o600 });
    lines.push(`${name} ${secret}\n`);
  }
  await writeFile(file("tokens"), lines.join(""), { mode: 0o600 });
}

function token(): string {
  return randomBytes(32).toString("hex");
}

async function openBy(caller: GrpcWorkerAgentRuntime): Promise<{ readonly by: string; readonly times: number }> {
  const { by, times } = await caller.sendMessage(Open({}), vault, { timeoutMs: 30_000 });
  console.log(`  opened by ${by}, ${times} times so far`);
  return { by, times };
}

/** Does what must fail, and prints why it fails. */
async function refused(what: string, attempt: () => unknown, reason = /./): Promise<void> {
  await assert.rejects(
    async () => void (await attempt()),
    (error: unknown) => {
      assert.ok(error instanceof TroupeError, String(error));
      assert.match(error.message, reason);
      console.log(`  ${what}: ${error.code}: ${error.message}`);
      return true;
    },
  );
}

async function comeIn(stranger: GrpcWorkerAgentRuntime): Promise<void> {
  await using here = stranger;
  await here.start();
}

async function isLetIn(tokenFile: string): Promise<boolean> {
  try {
    await comeIn(workerAt(address, "newcomer", { caFile, tokenFile }));
    return true;
  } catch (error) {
    if (error instanceof TroupeError) return false;
    throw error;
  }
}

/** The serial number of the certificate that the host shows to a new connection. */
async function serialNumber(): Promise<string | undefined> {
  const [hostname = "", port = ""] = address.split(":");
  const socket = connect({
    ...{ host: hostname, port: Number(port), ALPNProtocols: ["h2"] },
    ca: await readFile(caFile),
  });
  await once(socket, "secureConnect");
  const { serialNumber: number } = socket.getPeerCertificate();
  socket.destroy();
  return number;
}

/** Runs a command, prints what it says and returns it. */
async function troupe(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  console.log(`$ troupe ${args.join(" ")}`);
  const onLine = (line: string) => {
    lines.push(line);
    console.log(`  ${line}`);
  };
  const command: RunningProgram = startProgram(troupeCommand(), args, { onLine, cwd: folder.path });
  await command.ended;
  return lines.join("\n");
}
