// Cancel: a caller stops waiting, because of its own signal or a time limit. Shows both errors, and how a handler
// learns that its caller has gone. A late answer is ignored.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  AgentId,
  CancelledError,
  defineMessage,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
  TimedOutError,
} from "troupe";
import { z } from "zod";

const Dug = defineMessage("Dug", z.object({ metres: z.number() }));
const Dig = defineMessage("Dig", z.object({ metres: z.number() }), { answer: Dug });

class Digger extends RoutedAgent {
  depth = 0;

  @rpc(Dig)
  async dig({ metres }: MessageOf<typeof Dig>, context: MessageContext) {
    while (this.depth < metres && !context.signal.aborted) {
      await pause(1);
      this.depth += 1;
    }
    return Dug({ metres: this.depth });
  }
}

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Digger.register(runtime, "digger", () => new Digger("digs until it is told to stop"));

const impatient = new AbortController();
const endless = runtime.sendMessage(Dig({ metres: 1_000_000 }), new AgentId("digger", "cancelled"), {
  signal: impatient.signal,
});
setImmediate(() => impatient.abort(new Error("the caller went home")));
await assert.rejects(endless, (error) => {
  assert(error instanceof CancelledError);
  console.log(`cancelled: ${error.message} (because ${error.cause})`);
  return true;
});

const bounded = runtime.sendMessage(Dig({ metres: 1_000_000 }), new AgentId("digger", "late"), { timeoutMs: 30 });
await assert.rejects(bounded, (error) => {
  assert(error instanceof TimedOutError);
  console.log(`timed out: ${error.message}`);
  return true;
});

const dug = await runtime.sendMessage(Dig({ metres: 5 }), new AgentId("digger", "patient"), { timeoutMs: 10_000 });
console.log(`in time: ${dug.metres} m deep`);
assert.equal(dug.metres, 5);
await runtime.stopWhenIdle(); // both diggers have stopped; otherwise this would not return
