// The demo: a host, two TypeScript workers and, if Python with AutoGen is installed, a Python worker, each in its own
// process. Shows a call, an event that reaches every worker, state that moves from one worker to another, and a clear error.
// Then it shows a state that outlives `kill -9` of its worker and of the host. This process is a worker too and asks the questions. It exits with 0 if everything went well.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId, TopicId, UndeliverableException } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { consoleLogger } from "troupe/telemetry";
import { troupeCommand } from "../support/command-line.ts";
import { RunningProgram, startProgram } from "../support/processes.ts";
import { findPythonWithAutoGen, howToGetPython, sourceFile } from "../support/python.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { Audience } from "./audience.ts";
import { AskForPoem, News, Sign, Visit } from "./messages.ts";
import { hear, note, paint, scene } from "./stage.ts";

const startedMs = performance.now();
setTimeout(() => {
  console.error("The demo has not ended within two minutes: something hangs.");
  process.exit(1);
}, 120_000).unref();

console.log(paint("bold", "Troupe demo: agents in several processes, one conversation"));

await using folder = await temporaryFolder();
scene("A host starts: it carries messages, and knows nothing of their contents");
await using host = startHost("127.0.0.1:0");
const address = /127\.0\.0\.1:\d+/.exec(await host.line("127.0.0.1:"))?.[0] ?? "";

scene("Workers join: each is a process that serves some types of agent");
await using north = startWorker("north");
await north.line("ready");
await using south = startWorker("south");
await south.line("ready");
const pythonCommand = findPythonWithAutoGen();
await using python = pythonCommand === undefined ? undefined : startPythonWorker(pythonCommand);
if (python === undefined) noPython();
else await python.line("ready");
const workers = { north, south, ...(python && { python }) };

// What it logs is a part of the story, as what the others write.
const logger = consoleLogger({ write: (line) => hear("here", line) });
await using runtime = new GrpcWorkerAgentRuntime(address, { logger });
await runtime.start();
const audience = new Audience();
await audience.join(runtime);
const asUs = { sender: new AgentId("visitor", "you"), timeoutMs: 10_000 };
note(`this process (${process.pid}) has joined as well, to ask the questions`);

scene("A call: one agent is asked, its answer comes back typed");
for (const [name, worker] of Object.entries(workers)) {
  const poet = new AgentId(`poet_${name}`, "1");
  const poem = await runtime.sendMessage(AskForPoem({ about: "multiple processes" }), poet, asUs);
  await worker.line("is asked"); // what it wrote, before what we write
  note(`${poet} answers: "${poem.text}"`);
  assert.match(poem.text, /multiple processes/);
}

scene("An event: published once, it reaches an agent on every worker");
const headline = "Agents found in several places at once";
await runtime.publishMessage(News({ headline }), new TopicId("news", "today"));
const heardBy = await audience.hearing(headline, Object.keys(workers));
for (const worker of Object.values(workers)) await worker.line("reads");
note(`heard by ${heardBy.join(", ")}`);
assert.deepEqual(heardBy.toSorted(), Object.keys(workers).toSorted()); // each once

scene("State: saved on one worker, loaded on another");
const northDoor = new AgentId("doorkeeper_north", "main");
const southDoor = new AgentId("doorkeeper_south", "main");
for (const visitor of ["Ada", "Grace"]) await runtime.sendMessage(Visit({ visitor }), northDoor, asUs);
await north.line("number 2");
const state = await runtime.agentSaveState(northDoor);
note(`saved from ${northDoor}: ${JSON.stringify(state)}`);
await runtime.agentLoadState(southDoor, state);
const tally = await runtime.sendMessage(Visit({ visitor: "Barbara" }), southDoor, asUs);
await south.line("number 3");
note(`${southDoor} went on counting: ${tally.visitors} visitors`);
assert.equal(tally.visitors, 3);

scene("A mistake: a call to a type that no worker serves fails immediately");
const askedMs = performance.now();
const toNobody = runtime.sendMessage(Visit({ visitor: "Nobody" }), new AgentId("doorkeeper_west", "main"), asUs);
await assert.rejects(toNobody, (error) => {
  assert(error instanceof UndeliverableException);
  note(`after ${Math.ceil(performance.now() - askedMs)} ms: ${error.name}: ${error.message}`);
  return true;
});

const exitCodes: Record<string, number | string> = {};
scene("A persistent state: it outlives kill -9 of its worker, and of the host");
if (python !== undefined) {
  exitCodes.python = await python.stop();
  note("the Python worker has stopped before the host is killed");
}
await sign("Ada");
const { worker: first } = await sign("Grace");
const [victim, other] = first === "north" ? [north, south] : [south, north];
await victim.kill();
note(`${first} had the guestbook and is killed; the host kept its state in SQLite`);
const { worker: second } = await sign("Barbara");
note(`${second} has it now`);
assert.notEqual(second, first);
await using revived = startWorker(first);
await revived.line("ready");

await host.kill();
note("the host is killed, and started again on the same file");
await using secondHost = startHost(address);
await secondHost.line(address);
const { names } = await sign("Frances");
note(`the guestbook has ${names.join(", ")}`);
assert.deepEqual(names, ["Ada", "Grace", "Barbara", "Frances"]);

scene("Everything stops: workers finish what they do, then the host ends");
await runtime.stop();
const atTheEnd = { north: first === "north" ? revived : other, south: first === "south" ? revived : other };
for (const [name, program] of Object.entries({ ...atTheEnd, host: secondHost })) exitCodes[name] = await program.stop();
note(
  `exit codes: ${Object.entries(exitCodes)
    .map(([name, code]) => `${name} ${code}`)
    .join(", ")}`,
);
for (const [name, code] of Object.entries(exitCodes)) assert.equal(code, 0, `${name} ended with ${code}`);

const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(
  `\n${paint("green", "All went well")} in ${seconds} s. Next: docs/guide/index.md, or read examples/demo/main.ts.`,
);

function noPython(): void {
  note("no Python with AutoGen is here; unmodified Python workers could join as well");
  for (const line of howToGetPython) note(line);
}

/** Signs the guestbook. A call whose outcome is unknown is sent again with its key, and counts once. */
async function sign(name: string) {
  for (;;) {
    try {
      const book = new AgentId("guestbook", "main");
      return await runtime.sendMessage(Sign({ name }), book, { ...asUs, idempotencyKey: name, waitForTarget: 10_000 });
    } catch (error) {
      if (!(error instanceof UndeliverableException) || error.code !== "disconnected") throw error;
      await pause(100);
    }
  }
}

function startHost(at: string): RunningProgram {
  const state = `sqlite:${join(folder.path, "state.db")}`;
  return startProgram(troupeCommand(), ["host", "--address", at, "--state", state, "--log-format", "text"], {
    onLine: (line) => hear("host", line),
  });
}

function startWorker(name: string): RunningProgram {
  const file = import.meta.filename.replace(/main(\.\w+)$/, "worker$1");
  return startProgram(file, [name, address], { onLine: (line) => hear(name, line) });
}

function startPythonWorker(command: string): RunningProgram {
  return new RunningProgram(command, [sourceFile("demo/worker.py"), address], {
    onLine: (line) => hear("python", line),
  });
}
