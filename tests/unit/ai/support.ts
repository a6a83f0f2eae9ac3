import { AgentId, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, type AiAgentOptions } from "troupe/ai";
import type { ScriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";

export const ada = new AgentId("concierge", "ada");

/** Starts a runtime with a concierge, whose state is in the store. */
export async function concierge(
  options: AiAgentOptions,
  store = new MemoryStateStore(),
): Promise<SingleThreadedAgentRuntime> {
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await AiAgent.register(runtime, "concierge", () => new AiAgent(options));
  runtime.start();
  return runtime;
}

/** A promise, and the function that resolves it. */
export function signalled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Returns the roles and texts that a call of the model was given. */
export function given(model: ScriptedModel, call: number): readonly string[] {
  return (model.calls[call]?.prompt ?? []).map(({ role, content }) => {
    if (typeof content === "string") return `${role}: ${content}`;
    return `${role}: ${content.map((part) => (part.type === "text" ? part.text : part.type)).join(", ")}`;
  });
}
