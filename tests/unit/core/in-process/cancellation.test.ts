import { describe, expect, test } from "vitest";
import {
  AgentId,
  BaseAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { Gate } from "../../../support/gate.ts";
import { say } from "../../../support/say.ts";

const topic = new TopicId("jobs", "k");

class Doer extends BaseAgent {
  readonly #done: unknown[];

  constructor(done: unknown[]) {
    super("notes what it was told");
    this.#done = done;
  }

  protected override onMessageImpl(message: unknown): void {
    this.#done.push(message);
  }
}

describe("cancellation", () => {
  test("aborts the handler, and the calls it has made with its signal [§8.130]", async () => {
    const begun = new Gate();
    const seen: string[] = [];
    class Nesting extends BaseAgent {
      constructor() {
        super("calls on");
      }

      protected override async onMessageImpl(
        message: unknown,
        context: { readonly signal: AbortSignal },
      ): Promise<void> {
        context.signal.addEventListener("abort", () => seen.push(`${this.id.key} aborted`));
        if (message === say("inner")) return begun.open();
        await this.sendMessage(say("inner"), new AgentId("nesting", "inner"), { signal: context.signal }).catch(() => {
          seen.push("inner call rejected");
        });
        await new Promise(() => undefined);
      }
    }
    await using runtime = new SingleThreadedAgentRuntime({ drainTimeoutMs: 0 });
    await runtime.registerFactory("nesting", () => new Nesting());
    await runtime.start();
    const aborting = new AbortController();
    const options = { signal: aborting.signal };
    const call = runtime.sendMessage(say("outer"), new AgentId("nesting", "outer"), options);
    await begun.opened;
    const rejected = expect(call).rejects.toMatchObject({ code: "cancelled" });
    aborting.abort();
    await rejected;
    expect(seen).toContain("outer aborted");
  });

  test("a call that is given up while it waits in the queue is still delivered", async () => {
    const done: unknown[] = [];
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.registerFactory("doer", () => new Doer(done));
    const aborting = new AbortController();
    const call = runtime.sendMessage(say("given up"), new AgentId("doer", "k"), { signal: aborting.signal });
    aborting.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    await runtime.start();
    await runtime.stopWhenIdle();
    expect(done).toEqual([say("given up")]);
  });

  test("the handlers of an event get the signal of its publisher", async () => {
    const aborted = new Gate();
    const begun = new Gate();
    const runtime = new SingleThreadedAgentRuntime();
    class Listening extends BaseAgent {
      constructor() {
        super("listens");
      }

      protected override onMessageImpl(_message: unknown, context: { readonly signal: AbortSignal }): Promise<void> {
        context.signal.addEventListener("abort", () => aborted.open());
        begun.open();
        return aborted.opened;
      }
    }
    await runtime.registerFactory("listening", () => new Listening());
    await runtime.addSubscription(new TypeSubscription("jobs", "listening"));
    await runtime.start();
    const aborting = new AbortController();
    await runtime.publishMessage(say("x"), topic, { signal: aborting.signal });
    await begun.opened;
    aborting.abort();
    await runtime.stopWhenIdle();
  });
});
