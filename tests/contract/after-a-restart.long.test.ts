import type { AgentId, PublishOptions, TopicId } from "../../src/core/index.ts";
import { Host } from "../../src/host/index.ts";
import { createMemoryNetwork } from "../../src/transport/index.ts";
import { WorkerRuntime, type WorkerRuntimeOptions } from "../../src/worker/index.ts";
import { describeAgentRuntime, type MakeWorld } from "./agent-runtime.ts";

/** A worker that lets something happen before it first sends or publishes. */
class InterruptedWorker extends WorkerRuntime {
  #interrupt: () => Promise<void>;

  constructor(options: WorkerRuntimeOptions, interrupt: () => Promise<void>) {
    super(options);
    this.#interrupt = interrupt;
  }

  // The declared signatures have overloads, of which this takes all.
  override async sendMessage(message: unknown, recipient: AgentId, options?: object): Promise<never> {
    await this.#interrupt();
    return (await super.sendMessage(message, recipient, options)) as never;
  }

  override async publishMessage(message: unknown, topicId: TopicId, options?: PublishOptions): Promise<void> {
    await this.#interrupt();
    return super.publishMessage(message, topicId, options);
  }

  /** A stream that is open would end with its host: nothing happens any more. */
  override stream(message: unknown, recipient: AgentId, options?: object): never {
    this.#interrupt = async () => undefined;
    return super.stream(message, recipient, options) as never;
  }
}

/** Two workers whose host is replaced between what is registered and what is sent. */
const makeWorld: MakeWorld = async (options) => {
  const network = createMemoryNetwork();
  let host = new Host({ listener: network, address: "127.0.0.1:0" });
  await host.start();
  const { address } = host;
  const reconnect = { initialDelayMs: 1, maxDelayMs: 5 };
  const ends = { dialer: network, address, reconnect, drainTimeoutMs: 200 };

  async function restart(): Promise<void> {
    const back = [caller, callee].map(reconnected);
    await host.stop({ graceMs: 0 });
    host = new Host({ listener: network, address });
    await host.start();
    await Promise.all(back);
  }

  let restarted: Promise<void> | undefined;
  const interrupt = () => {
    restarted ??= restart();
    return restarted;
  };
  const caller = new InterruptedWorker({ ...ends, ...options.caller }, interrupt);
  const callee = new WorkerRuntime({ ...ends, ...options.callee, stateStore: options.stateStore });
  await Promise.all([caller.start(), callee.start()]);
  return {
    caller,
    callee,
    close: async () => {
      await Promise.all([caller.stop(), callee.stop()]);
      await host.stop({ graceMs: 0 });
    },
  };
};

/** Resolves when the worker has a connection again, after it has lost the present one. */
async function reconnected(worker: WorkerRuntime): Promise<void> {
  let isAway = false;
  for await (const { at } of worker.status()) {
    if (at !== "connected") isAway = true;
    else if (isAway) return;
  }
}

describeAgentRuntime("two workers over the memory link, after their host was replaced", makeWorld, {
  "calls-have-wire-ids": "the callee sees the request id on the wire (protocol.md §5.9)",
  "keeps-nothing":
    "the worker has the store of these tests; its host keeps messages in its own, and no reminders of such a worker",
});
