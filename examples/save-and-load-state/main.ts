// Save and load state: an agent's memory outlives its runtime. Shows saveState and loadState of an agent, and of a
// whole runtime with all its live agents. A state is a JSON object. Write it to a file or a database, or request it
// from another worker (see ../demo).
import assert from "node:assert/strict";
import {
  AgentId,
  type AgentState,
  defineMessage,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
} from "troupe";
import { z } from "zod";

const Notes = defineMessage("Notes", z.object({ lines: z.array(z.string()) }));
const Remember = defineMessage("Remember", z.object({ line: z.string() }), { answer: Notes });

class Notebook extends RoutedAgent {
  #lines: string[] = [];

  @rpc(Remember)
  remember({ line }: MessageOf<typeof Remember>) {
    this.#lines.push(line);
    return Notes({ lines: this.#lines });
  }

  override saveState() {
    return { lines: this.#lines };
  }

  override loadState(state: AgentState) {
    this.#lines = [...Notes({ lines: state.lines as string[] }).lines];
  }
}

async function openNotebooks() {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await Notebook.register(runtime, "notebook", () => new Notebook("remembers lines"));
  return runtime;
}

const ada = new AgentId("notebook", "ada");
let saved: string;
{
  await using monday = await openNotebooks();
  await monday.sendMessage(Remember({ line: "buy punch cards" }), ada);
  saved = JSON.stringify(await monday.saveState());
  console.log(`Monday's runtime ends and leaves ${saved}`);
}

await using tuesday = await openNotebooks();
await tuesday.loadState(JSON.parse(saved));
const notes = await tuesday.sendMessage(Remember({ line: "sort them" }), ada);

console.log(`On Tuesday the notebook of ${ada.key} reads: ${notes.lines.join(" · ")}`);
assert.deepEqual(notes.lines, ["buy punch cards", "sort them"]);
assert.deepEqual(await tuesday.agentSaveState(ada), { lines: notes.lines });
