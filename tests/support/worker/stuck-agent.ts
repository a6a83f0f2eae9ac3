import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../gate.ts";
import { FunctionAgent } from "./function-agent.ts";
import { MyMessage } from "./messages.ts";

/** Registers agents of type `a` whose handlers never end. The gate opens with the reason when the signal of one aborts. */
export async function serveStuck(worker: WorkerRuntime): Promise<Gate<unknown>> {
  const told = new Gate<unknown>();
  const onMessage = (_message: unknown, { signal }: { readonly signal: AbortSignal }) => {
    signal.addEventListener("abort", () => told.open(signal.reason));
    return new Promise(() => {});
  };
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("a", () => new FunctionAgent(onMessage));
  return told;
}
