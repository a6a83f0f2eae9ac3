import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AgentId, type AgentRuntime } from "troupe";
import { AiAgent, Prompt } from "troupe/ai";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { expect, test } from "vitest";
import { openSqliteStoreWith } from "../../src/storage/sqlite/open-sqlite-store.ts";
import { countingBuyer } from "../support/counting-buyer.ts";
import { Gate } from "../support/gate.ts";
import { NodeProgram } from "../support/node-program.ts";
import { Opened } from "../support/opened.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { newFolder } from "../support/sqlite-stores.ts";

const quiet = { logger: new RecordingLogger() };
const planner = new AgentId("planner", "ada");
const buyer = new AgentId("buyer", "ada");
const once = ["plan 0", "model 0", "look", "model 1", "buy", "model 2", "plan 1"];

async function openHost(opened: Opened): Promise<{ readonly address: string; readonly file: string }> {
  const store = opened.use(await openSqliteStoreWith(join(newFolder(), "runs.db"), { thread: false }, {}));
  const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { ...quiet, stateStore: store }));
  await host.start();
  return { address: host.address, file: join(newFolder(), "done.txt") };
}

async function openCaller(opened: Opened, address: string): Promise<GrpcWorkerAgentRuntime> {
  const caller = opened.use(new GrpcWorkerAgentRuntime(address, quiet));
  await caller.start();
  caller.addMessageSerializer([Prompt]);
  return caller;
}

/** Reads the run of the planner to its end. `onAgentPart`: sees the parts of the agent that it asks. */
async function readToEnd(runtime: AgentRuntime, onAgentPart: (text: string) => void) {
  const agentParts: string[] = [];
  const reading = runtime.attachRun(planner, "r", { message: Prompt }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { text: step.value.text, agentParts };
    const { type, data } = step.value.chunk;
    if (type !== "data-agent") continue;
    // The tool writes such parts.
    const { part } = data as { readonly part: { readonly type: string; readonly delta?: string } };
    agentParts.push(part.delta ?? part.type);
    onAgentPart(agentParts.at(-1) ?? "");
  }
}

test("an agent whose tool asks another one by a run is killed: that one goes on meanwhile, is found again, and does nothing twice", {
  timeout: 240_000,
}, async () => {
  await using opened = new Opened();
  const { address, file } = await openHost(opened);
  const [isAsked, isKilled, hasSeen] = [new Gate(), new Gate(), new Gate()];
  const caller = await openCaller(opened, address);
  const after = { onHalt: () => isAsked.open(), goOn: isKilled.opened };
  await AiAgent.register(caller, "buyer", () => countingBuyer({ file, haltAt: "in buy", ids: "b", ...after }));
  const program = () => opened.use(new NodeProgram("tests/e2e/programs/planner-worker.ts", [address, file]));
  const killed = program();
  await killed.output(/serving/);
  await caller.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
  const killAndGoOn = async () => {
    await Promise.all([isAsked.opened, hasSeen.opened]);
    await killed.stop("SIGKILL");
    isKilled.open();
    // The buyer has ended before the planner is there again.
    const [run] = (await caller.listRuns(buyer)).runs;
    expect((await caller.attachRun(buyer, run?.id ?? "", { message: Prompt }).answer()).text).toBe("It is done.");
    await program().output(/serving/);
  };
  const [{ text, agentParts }] = await Promise.all([
    readToEnd(caller, (part) => part === "I buy it." && hasSeen.open()),
    killAndGoOn(),
  ]);
  expect(text).toContain("It is done.");
  expect(readFileSync(file, "utf8").trim().split("\n")).toEqual(once);
  expect(agentParts.filter((part) => part === "start" || part === "finish")).toEqual(["start", "finish"]);
  expect((await caller.listRuns(buyer)).runs).toHaveLength(1);
});

test("an agent and the one that its tool asks are killed at once: both go on, and nothing is done twice but the step that was lost", {
  timeout: 240_000,
}, async () => {
  await using opened = new Opened();
  const { address, file } = await openHost(opened);
  const caller = await openCaller(opened, address);
  const planning = () => opened.use(new NodeProgram("tests/e2e/programs/planner-worker.ts", [address, file]));
  const buying = (haltAt: string) =>
    opened.use(new NodeProgram("tests/e2e/programs/buyer-worker.ts", [address, file, haltAt]));
  const killed = [planning(), buying("bought")];
  for (const one of killed) await one.output(/serving/);
  await caller.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
  const hasSeen = new Gate();
  const killAndGoOn = async () => {
    await Promise.all([killed[1]?.output(/halted/), hasSeen.opened]);
    for (const one of killed) await one.stop("SIGKILL");
    for (const one of [planning(), buying("never")]) await one.output(/serving/);
  };
  const [{ text }] = await Promise.all([
    readToEnd(caller, (part) => part === "It is" && hasSeen.open()),
    killAndGoOn(),
  ]);
  expect(text).toContain("It is done.");
  const done = ["plan 0", "model 0", "look", "model 1", "buy", "model 2", "model 2", "plan 1"];
  expect(readFileSync(file, "utf8").trim().split("\n")).toEqual(done);
  expect((await caller.listRuns(buyer)).runs).toHaveLength(1);
});
