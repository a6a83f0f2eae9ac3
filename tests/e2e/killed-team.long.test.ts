import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AgentId, type AgentRuntime, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { RunTeam, TakeTurn, TurnTaken, textParts } from "troupe/teams";
import { expect, test } from "vitest";
import { openSqliteStoreWith } from "../../src/storage/sqlite/open-sqlite-store.ts";
import { Gate } from "../support/gate.ts";
import { NodeProgram } from "../support/node-program.ts";
import { Opened } from "../support/opened.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { newFolder } from "../support/sqlite-stores.ts";

const quiet = { logger: new RecordingLogger() };
const newsroom = new AgentId("newsroom", "1");
const all = ["x", "writer(x)", "critic(writer(x))", "writer(critic(writer(x)))", "critic(writer(critic(writer(x))))"];

interface Halting {
  readonly file: string;
  /** The turn that halts once, such as `writer 2`. */
  readonly haltAt: string;
  readonly onHalt: () => void;
  readonly goOn: Promise<void>;
}

/** A participant that says its name around what was said last, and counts its turns in a file. It halts in one of them. */
class Counting extends RoutedAgent {
  static override readonly handlers = handlerTable<Counting>().rpc(TakeTurn, async function* ({ messages }) {
    const { file, haltAt, onHalt, goOn } = this.halting;
    this.turns += 1;
    const what = `${this.id.type} ${this.turns}`;
    appendFileSync(file, `${what}\n`);
    const [start, delta, end] = textParts(`${this.id.type}(${messages.at(-1)?.content ?? ""})`);
    if (start !== undefined) yield start;
    if (what === haltAt) {
      onHalt();
      await goOn;
    }
    if (delta !== undefined) yield delta;
    if (end !== undefined) yield end;
    return TurnTaken({ content: String(delta?.delta) });
  });

  readonly halting: Halting;
  turns = 0;

  constructor(halting: Halting) {
    super("counts its turns");
    this.halting = halting;
  }
}

/** Reads a run of the team to its end. */
async function readToEnd(runtime: AgentRuntime) {
  const said: string[] = [];
  const parts: string[] = [];
  const reading = runtime.attachRun(newsroom, "r", { message: RunTeam }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { said, parts, messages: step.value.messages.map(({ content }) => content) };
    const { content, part, source } = step.value.chunk;
    if (part === null) said.push(content);
    else parts.push(`${source} ${part.type}`);
  }
}

const chosen = ["choose writer", "choose critic", "choose writer", "choose critic"];
const turn = (name: string) => ["text-start", "text-delta", "text-end"].map((type) => `${name} ${type}`);

test.for([
  ["writer 2", ["writer 1", "critic 1", "writer 2", "critic 2"]],
  ["critic 1", ["writer 1", "critic 1", "critic 2", "writer 2", "critic 3"]],
] as const)(
  "a team goes on where its worker was killed: a turn by a run is taken once, one by a call again, and each message is told once: %s",
  { timeout: 240_000 },
  async ([haltAt, turns]) => {
    await using opened = new Opened();
    const store = opened.use(await openSqliteStoreWith(join(newFolder(), "runs.db"), { thread: false }, {}));
    const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { ...quiet, stateStore: store }));
    await host.start();
    const file = join(newFolder(), "done.txt");
    const [hasHalted, isKilled] = [new Gate(), new Gate()];
    const caller = opened.use(new GrpcWorkerAgentRuntime(host.address, quiet));
    await caller.start();
    caller.addMessageSerializer([RunTeam]);
    const halting = { file, haltAt, onHalt: () => hasHalted.open(), goOn: isKilled.opened };
    for (const name of ["writer", "critic"]) await Counting.register(caller, name, () => new Counting(halting));
    const program = () =>
      opened.use(new NodeProgram("tests/e2e/programs/counting-team-worker.ts", [host.address, file]));
    const killed = program();
    await killed.output(/serving/);
    await caller.startRun(RunTeam({ task: "x" }), newsroom, { id: "r" });
    const killAndGoOn = async () => {
      await hasHalted.opened;
      await killed.stop("SIGKILL");
      isKilled.open();
      await program().output(/serving/);
    };
    const [{ said, parts, messages }] = await Promise.all([readToEnd(caller), killAndGoOn()]);
    expect(said).toEqual(all);
    expect(messages).toEqual(all);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.filter((line) => line.startsWith("choose"))).toEqual(chosen);
    expect(lines.filter((line) => !line.startsWith("choose"))).toEqual(turns);
    if (haltAt === "writer 2")
      expect(parts).toEqual([...turn("writer"), ...turn("critic"), ...turn("writer"), ...turn("critic")]);
    const { runs } = await caller.listRuns(new AgentId("writer", "1"));
    expect(runs.map(({ id, status }) => `${id} ${status}`)).toEqual(["r/1 completed", "r/3 completed"]);
  },
);
