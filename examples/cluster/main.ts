// Cluster: three hosts on one machine, with NATS and PostgreSQL, in one command. While a TypeScript and a Python program call persistent
// agents, a host, a worker and the NATS server are killed one after the other. Every call has its outcome, every told message arrives.
// Then a dead letter is replayed, and all is shut down. Needs nats-server and PostgreSQL, and says how to install them.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { troupeCommand } from "../support/command-line.ts";
import { RunningProgram, startProgram } from "../support/processes.ts";
import { findPythonWithAutoGen, howToGetPython, sourceFile } from "../support/python.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { Arrivals, Desk } from "./desk.ts";
import { Add, AskToGreet, Greeting, Parcel, SetOpen, StoreIs, Total } from "./messages.ts";
import { missingServers, startNats, startPostgres } from "./servers.ts";

const missing = missingServers();
if (missing.length > 0) {
  console.log(`This cannot be shown without ${missing.join(" and ")}`);
  process.exit(77); // "skipped": not a failure
}

// The programs end with this process, also when it ends too early.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const limit = setTimeout(() => {
  console.error("It takes too long.");
  process.exit(1);
}, 230_000);

await using folder = await temporaryFolder();
await using nats = await startNats();
await using postgres = await startPostgres();
console.log("NATS and PostgreSQL are up");
const programs: RunningProgram[] = [];
/** Milliseconds that a call waits for a worker of its agent type. */
const waitForTarget = 30_000;
/** The number of messages that were sent again. */
let again = 0;
/** Codes of what may be sent again with their key. */
const passing = ["disconnected", "undeliverable", "shutting-down", "overloaded", "state-unavailable", "state-unknown"];
try {
  // Three hosts. Each takes free ports for its workers and for the other hosts.
  const hosts = ["host-1", "host-2", "host-3"].map(startHost);
  const [host1, host2, host3] = hosts as [RunningProgram, RunningProgram, RunningProgram];
  const pythonCommand = findPythonWithAutoGen(); // while the hosts start
  const [address1, address2, address3] = (await Promise.all(hosts.map(addressOf))) as [string, string, string];

  // Workers on different hosts. This process is one, too: stores tell its agent `desk` which parcels have arrived.
  const [worker1, worker2] = [
    startWorker("worker1", [address1, address2, address3]),
    startWorker("worker2", [address2, address1, address3]),
  ];
  const python = startPython(pythonCommand, address3);
  const arrived = new Arrivals();
  const caller = new GrpcWorkerAgentRuntime([address1, address2, address3], {
    name: "caller",
    reconnect: { initialDelayMs: 20, maxDelayMs: 500 },
  });
  await caller.start();
  caller.addMessageSerializer([Add, Total, AskToGreet, Greeting, Parcel, SetOpen, StoreIs]);
  await Desk.register(caller, "desk", () => new Desk(arrived));
  await Promise.all([worker1.line("ready"), worker2.line("ready"), python?.line("ready")]);

  console.log("\nCalls from host-1 to agents at the other hosts:");
  for (const type of ["worker2", ...(python ? ["python_greeter"] : [])]) {
    const greeter = new AgentId(type, "default");
    const { content } = await repeat(() => caller.sendMessage(AskToGreet({ name: "Ada" }), greeter, { waitForTarget }));
    console.log(`  ${content}`);
  }
  assert.match(await troupe("cluster", "--name", "host-1"), /: 3 hosts/);

  let additions = 0;
  /** Adds 1 to one of 8 persistent counters after the other, until `count` additions were answered. */
  const addUpTo = async (count: number) => {
    while (additions < count) {
      const counter = new AgentId("counter", `${additions % 8}`);
      const idempotencyKey = `addition-${additions}`;
      await repeat(() => caller.sendMessage(Add({ value: 1 }), counter, { idempotencyKey, waitForTarget }));
      additions += 1;
    }
  };
  const told: string[] = [];
  /** Tells a parcel to each of 16 persistent stores. It is kept until its store has it. */
  const tellParcels = async () => {
    const tell = (id: string, store: string) =>
      repeat(() => caller.tell(Parcel({ id }), new AgentId("store", store), { idempotencyKey: id }));
    const ids = Array.from({ length: 16 }, (_, store) => `parcel-${told.length + store}`);
    told.push(...ids);
    await Promise.all(ids.map((id, store) => tell(id, `${store}`)));
  };

  console.log("\nA host, a worker and NATS are killed:");
  await Promise.all([addUpTo(40), tellParcels()]);
  await Promise.all([addUpTo(80), tellParcels(), host1.kill()]);
  console.log("  kill -9 of host-1, with its worker and this caller: both go on at other hosts");
  await Promise.all([addUpTo(120), tellParcels(), worker1.kill()]);
  console.log("  kill -9 of worker1: its agents go on in worker2");
  await nats.kill();
  await addUpTo(160);
  await nats.restart();
  console.log("  kill -9 of NATS, and a restart: calls went on meanwhile");
  await Promise.all([addUpTo(200), tellParcels()]);

  let total = 0;
  for (let counter = 0; counter < 8; counter += 1) total += await totalOf(caller, `${counter}`);
  console.log(`  200 additions and ${told.length} parcels, ${again} sent again: the total is ${total}`);
  assert.equal(total, 200);
  // Until the lease of host-1 is over, no other host reads its part of the mail.
  for (const id of told) await arrived.wait(id);
  console.log(`  all ${told.length} parcels have arrived`);
  await checkPython(python, caller);
  assert.match(await troupe("hosts", "--name", "host-2"), /host-2 .* up .*\n.*host-3 .* up /);

  console.log("\nA parcel for a store that is closed is a dead letter:");
  const annex = new AgentId("store", "annex");
  await repeat(() => caller.sendMessage(SetOpen({ isOpen: false }), annex, { waitForTarget }));
  const id = "for the annex";
  await repeat(() => caller.tell(Parcel({ id }), annex, { idempotencyKey: id }));
  await Promise.any([host2, host3].map((host) => host.line("annex")));
  assert.match(await troupe("dead", "list", "--name", "host-2"), /store\/annex +Parcel +handler-failed/);
  await repeat(() => caller.sendMessage(SetOpen({ isOpen: true }), annex, { waitForTarget }));
  assert.match(await troupe("dead", "replay", "--all", "--name", "host-3"), /replayed 1 of 1/);
  await arrived.wait(id);
  console.log("  it has arrived");

  console.log("\nShutting down:");
  await troupe("drain", "host", "host-3", "--name", "host-2");
  assert.equal(await host3.ended, 0);
  await caller.stop();
  assert.equal(await worker2.stop(), 0);
  assert.equal(await host2.stop(), 0);
  assert.deepEqual([await nats.stop(), await postgres.stop()], [0, 0]);
  console.log("all programs have ended with 0");
} finally {
  await Promise.all(programs.map((program) => program.kill()));
  clearTimeout(limit);
}

/** Sends something with a key until its outcome is known. The receiver handles it once. */
async function repeat<Answer>(send: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      // See the page Errors of the guide. Other codes tell of a mistake.
      if (!(error instanceof TroupeError) || !passing.includes(error.code)) throw error;
      again += 1;
      await pause(50);
    }
  }
}

async function totalOf(caller: GrpcWorkerAgentRuntime, key: string): Promise<number> {
  const counter = new AgentId("counter", key);
  return (await repeat(() => caller.sendMessage(Add({ value: 0 }), counter, { waitForTarget }))).value;
}

/** Starts a program that ends with this one at the latest. */
function started(program: RunningProgram): RunningProgram {
  programs.push(program);
  return program;
}

function startHost(name: string): RunningProgram {
  const args = ["host", "--name", name, "--address", "127.0.0.1:0", "--cluster", nats.url, "--state", postgres.url];
  // A short lease: the mail of a host that was killed moves sooner. A cluster of NATS needs a longer one.
  return started(
    startProgram(troupeCommand(), [...args, "--lease-ms", "8000"], { onLine: () => {}, cwd: folder.path }),
  );
}

async function addressOf(host: RunningProgram): Promise<string> {
  return /127\.0\.0\.1:\d+/.exec(await host.line("troupe host listening on"))?.[0] ?? "";
}

function startWorker(name: string, addresses: readonly string[]): RunningProgram {
  const file = import.meta.filename.replace(/main(\.\w+)$/, "worker$1");
  return started(startProgram(file, [name, addresses.join(",")], { onLine: () => {} }));
}

function startPython(python: string | undefined, address: string): RunningProgram | undefined {
  if (python === undefined) {
    console.log(`No Python with AutoGen is here, so there is no Python worker: ${howToGetPython.join("; ")}`);
    return undefined;
  }
  const onLine = (line: string) => console.log(`  worker.py │ ${line}`);
  return started(new RunningProgram(python, [sourceFile("cluster/worker.py"), address], { onLine }));
}

/** Stops the Python worker, and compares what its counter has with what it says. */
async function checkPython(python: RunningProgram | undefined, caller: GrpcWorkerAgentRuntime): Promise<void> {
  if (python === undefined) return;
  assert.equal(await python.stop(), 0);
  const counts = /(\d+) calls answered, (\d+) failed/.exec(await python.line("calls answered")) ?? [];
  const [answered, failed] = counts.slice(1).map(Number) as [number, number];
  const value = await totalOf(caller, "python");
  // A call that has failed may have been handled.
  assert(answered > 0 && value >= answered && value <= answered + failed, `the counter has ${value}`);
}

/** Runs the command `troupe` in the folder of the hosts. Returns what it prints. */
async function troupe(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  console.log(`\n$ troupe ${args.join(" ")}`);
  const onLine = (line: string) => {
    lines.push(line);
    console.log(`  ${line}`);
  };
  const command = started(startProgram(troupeCommand(), args, { onLine, cwd: folder.path }));
  assert.equal(await command.ended, 0);
  return lines.join("\n");
}
