import { describe, expect, test } from "vitest";
import {
  AgentId,
  BaseAgent,
  DefaultTopicId,
  DropMessage,
  SingleThreadedAgentRuntime,
  type SingleThreadedAgentRuntimeOptions,
  TopicId,
  TypeSubscription,
  UndeliverableException,
} from "../../../../src/core/index.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Gate } from "../../../support/gate.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { say } from "../../../support/say.ts";

class Doer extends BaseAgent {
  readonly #handle: (message: unknown, agent: Doer) => unknown;

  constructor(handle: (message: unknown, agent: Doer) => unknown) {
    super("does as told");
    this.#handle = handle;
  }

  protected override onMessageImpl(message: unknown): unknown {
    return this.#handle(message, this);
  }
}

const doerId = new AgentId("doer", "k");
const topic = new TopicId("jobs", "k");

async function openRuntime(
  handle: (message: unknown, agent: Doer) => unknown = (message) => message,
  options: SingleThreadedAgentRuntimeOptions = {},
): Promise<SingleThreadedAgentRuntime> {
  const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger(), ...options });
  await runtime.registerFactory("doer", () => new Doer(handle));
  await runtime.addSubscription(new TypeSubscription("jobs", "doer"));
  return runtime;
}

describe("start and stop", () => {
  test("what is sent and published before the start waits in the queue", async () => {
    const done: unknown[] = [];
    const runtime = await openRuntime((message) => void done.push(message));
    const call = runtime.sendMessage(say("call"), doerId);
    await runtime.publishMessage(say("event"), topic);
    expect(runtime.unprocessedMessagesCount).toBe(2);
    await runtime.start();
    await call;
    await runtime.stopWhenIdle();
    expect(done).toEqual([say("call"), say("event")]);
    expect(runtime.unprocessedMessagesCount).toBe(0);
  });

  test("a type that is not registered is refused at once, with the text of AutoGen [§8.127]", async () => {
    const runtime = await openRuntime();
    const call = runtime.sendMessage(say("x"), new AgentId("nobody", "k"));
    await expect(call).rejects.toThrow("Recipient not found");
    await expect(call).rejects.toThrow("Register the type, or correct it in the call.");
    await expect(call).rejects.toMatchObject({ code: "undeliverable" });
    expect(runtime.unprocessedMessagesCount).toBe(0);
  });

  test("starting twice, and stopping what is not started, are errors that say so", async () => {
    const runtime = await openRuntime();
    for (const stop of [() => runtime.stop(), () => runtime.stopWhenIdle(), () => runtime.stopWhen(() => true)]) {
      await expect(stop()).rejects.toThrow("Runtime is not started");
    }
    await runtime.start();
    await expect(runtime.start()).rejects.toThrow("Runtime is already started");
    await runtime.stop();
  });

  test("stop rejects the calls that wait in the queue [§8.128]", async () => {
    const runtime = await openRuntime();
    await runtime.start();
    const calls = ["1", "2", "3"].map((text) => runtime.sendMessage(say(text), doerId));
    const ends = Promise.allSettled(calls);
    const published = runtime.publishMessage(say("lost"), topic);
    const stopped = runtime.stop();
    for (const end of await ends) {
      expect(end.status === "rejected" && end.reason).toBeInstanceOf(UndeliverableException);
      expect(end.status === "rejected" && end.reason.code).toBe("shutting-down");
    }
    await Promise.all([published, stopped]);
    expect(runtime.unprocessedMessagesCount).toBe(0);
  });

  test("a handler that runs when the runtime stops may finish, and its caller gets the answer", async () => {
    const gate = new Gate();
    const begun = new Gate();
    const runtime = await openRuntime(async () => {
      begun.open();
      await gate.opened;
      return say("late");
    });
    await runtime.start();
    const call = runtime.sendMessage(say("x"), doerId);
    await begun.opened;
    await runtime.stop();
    gate.open();
    expect(await call).toBe(say("late"));
  });

  test("it can be started again after any stop", async () => {
    const runtime = await openRuntime();
    for (const stop of [() => runtime.stop(), () => runtime.stopWhenIdle(), () => runtime.close()]) {
      await runtime.start();
      expect(await runtime.sendMessage(say("x"), doerId)).toBe(say("x"));
      await stop();
    }
    await runtime.start();
    expect(await runtime.sendMessage(say("y"), doerId)).toBe(say("y"));
    await runtime.stop();
    const queued = runtime.sendMessage(say("z"), doerId);
    await runtime.start();
    expect(await queued).toBe(say("z"));
    await runtime.stop();
  });
});

describe("stopWhenIdle", () => {
  test("waits for handlers, and for what they send and publish", async () => {
    const done: unknown[] = [];
    const runtime = await openRuntime(async (message, agent) => {
      await new Promise((resolve) => setImmediate(resolve));
      done.push(message);
      if (message === say("first")) await agent.publishMessage(say("second"), new TopicId("jobs", "other"));
      if (message === say("second")) await agent.sendMessage(say("third"), new AgentId("doer", "last"));
    });
    await runtime.start();
    await runtime.publishMessage(say("first"), topic);
    await runtime.stopWhenIdle();
    expect(done).toEqual(["first", "second", "third"].map(say));
  });

  test("resolves after interventions have dropped messages or thrown [§8.123]", async () => {
    const runtime = await openRuntime(undefined, {
      interventionHandlers: [
        {
          onSend: () => DropMessage,
          onPublish: (message) => {
            if (message === say("throw")) throw new Error("no");
            return DropMessage;
          },
        },
      ],
    });
    await runtime.start();
    const call = runtime.sendMessage(say("x"), doerId);
    for (const text of ["drop", "throw"]) await runtime.publishMessage(say(text), topic);
    await expect(call).rejects.toMatchObject({ code: "dropped" });
    await runtime.stopWhenIdle();
  });

  test("resolves at once when there is nothing to do, and for several who wait", async () => {
    const runtime = await openRuntime();
    await runtime.start();
    await Promise.all([runtime.stopWhenIdle(), runtime.stopWhenIdle()]);
    await expect(runtime.stopWhenIdle()).rejects.toThrow("Runtime is not started");
    await runtime.stop();
  });
});

describe("stopWhen", () => {
  test("stops once the condition holds after a message was handled", async () => {
    let count = 0;
    const runtime = await openRuntime(async (message, agent) => {
      count += 1;
      await agent.publishMessage(message, new TopicId("jobs", `${count}`));
    });
    await runtime.start();
    await runtime.publishMessage(say("forever"), topic);
    await runtime.stopWhen(() => count >= 10);
    expect(count).toBeGreaterThanOrEqual(10);
    await expect(runtime.stopWhenIdle()).rejects.toThrow("Runtime is not started");
    await runtime.stop();
  });

  test("notices what has nothing to do with messages, also when the clock stands still", async () => {
    const clock = new ManualClock();
    const runtime = await openRuntime(undefined, { clock });
    await runtime.start();
    let isOver = false;
    const stopped = runtime.stopWhen(() => isOver);
    isOver = true;
    await stopped;
    expect(clock.pendingTimers).toBe(0);
  });

  test("a condition that throws rejects, and the runtime goes on", async () => {
    const runtime = await openRuntime();
    await runtime.start();
    const stopped = runtime.stopWhen(() => {
      throw new Error("bad condition");
    });
    await expect(stopped).rejects.toThrow("bad condition");
    expect(await runtime.sendMessage(say("x"), doerId)).toBe(say("x"));
    await runtime.stop();
  });
});

describe("processNext", () => {
  test("handles one at a time, answers included", async () => {
    const runtime = await openRuntime();
    const call = runtime.sendMessage(say("x"), doerId);
    await runtime.processNext();
    expect(runtime.unprocessedMessagesCount).toBe(1);
    await runtime.processNext();
    expect(await call).toBe(say("x"));
  });

  test("waits for something to come", async () => {
    const runtime = await openRuntime();
    const stepped = runtime.processNext();
    const call = runtime.sendMessage(say("x"), doerId);
    await stepped;
    await runtime.processNext();
    expect(await call).toBe(say("x"));
  });
});

describe("an event that no handler should have failed", () => {
  const failing = (message: unknown) => {
    if (message === say("fail")) throw new RangeError("too far");
    return message;
  };

  test("is logged and nothing more, by default [§8.126]", async () => {
    const logger = new RecordingLogger();
    const runtime = await openRuntime(failing, { logger });
    await runtime.start();
    await runtime.publishMessage(say("fail"), topic);
    await runtime.stopWhenIdle();
    expect(logger.texts("error")).toEqual(["doer/k failed on an event from jobs/k (Saying): too far"]);
  });

  test("is thrown by whoever stops or steps next, on request [§8.126]", async () => {
    const options = { ignoreUnhandledExceptions: false };
    for (const stop of ["stopWhenIdle", "stop", "close"] as const) {
      const runtime = await openRuntime(failing, options);
      await runtime.start();
      await runtime.publishMessage(say("fail"), topic);
      await new Promise((resolve) => setImmediate(resolve));
      await expect(runtime[stop]()).rejects.toThrow(new RangeError("too far"));
      await runtime.start();
      expect(await runtime.sendMessage(say("fine"), doerId)).toBe(say("fine"));
      await runtime.stop();
    }
    const stepped = await openRuntime(failing, options);
    await stepped.publishMessage(say("fail"), topic);
    await stepped.processNext();
    await expect(stepped.processNext()).rejects.toThrow("too far");
  });

  test("ends the processing: what waits and what comes is refused, with the failure as the cause", async () => {
    const runtime = await openRuntime(failing, { ignoreUnhandledExceptions: false });
    await runtime.publishMessage(say("fail"), topic);
    await runtime.processNext();
    const call = runtime.sendMessage(say("x"), doerId);
    await expect(call).rejects.toMatchObject({ code: "shutting-down", cause: new RangeError("too far") });
    await expect(runtime.publishMessage(say("x"), topic)).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("a call that fails concerns its caller only", async () => {
    const runtime = await openRuntime(failing, { ignoreUnhandledExceptions: false });
    await runtime.start();
    await expect(runtime.sendMessage(say("fail"), doerId)).rejects.toThrow("too far");
    await runtime.stopWhenIdle();
  });
});

test("an instance goes when its runtime closes, its subscriptions too, and is registered anew", async () => {
  const done: unknown[] = [];
  const runtime = await openRuntime();
  const register = (name: string) =>
    new Doer(() => done.push(name)).registerInstance(runtime, new AgentId("instance", "k"));
  await register("first");
  await runtime.start();
  await runtime.close();
  await register("second");
  await runtime.start();
  await runtime.publishMessage(say("x"), new TopicId("k", "k"));
  await runtime.stopWhenIdle();
  expect(done).toEqual(["second"]);
});

describe("disposal", () => {
  test("lets what was sent be handled, then closes", async () => {
    const done: unknown[] = [];
    {
      await using runtime = await openRuntime((message) => void done.push(message));
      await runtime.start();
      await runtime.publishMessage(say("last"), topic);
    }
    expect(done).toEqual([say("last")]);
  });

  test("waits for handlers no longer than it may", async () => {
    const clock = new ManualClock();
    const begun = new Gate();
    const runtime = await openRuntime(
      () => {
        begun.open();
        return new Promise(() => undefined);
      },
      { clock, drainTimeoutMs: 1000 },
    );
    await runtime.start();
    const call = runtime.sendMessage(say("hang"), doerId);
    const end = expect(call).rejects.toMatchObject({ code: "shutting-down" });
    await begun.opened;
    const disposed = runtime[Symbol.asyncDispose]();
    clock.advance(1000);
    await disposed;
    await end;
  });

  test("a runtime that was never started refuses what it has queued", async () => {
    const runtime = await openRuntime();
    const call = runtime.sendMessage(say("x"), doerId);
    const end = expect(call).rejects.toBeInstanceOf(UndeliverableException);
    await runtime.publishMessage(say("y"), new DefaultTopicId());
    await runtime.close();
    await end;
  });
});

test("agents that message each other for ever leave room for timers", async () => {
  const runtime = await openRuntime((message, agent) =>
    agent.publishMessage(message, new TopicId("jobs", flip(agent))),
  );
  await runtime.start();
  await runtime.publishMessage(say("ping"), topic);
  // It never fires if messages leave no room.
  const fired = new Gate();
  setTimeout(() => fired.open(), 0);
  await fired.opened;
  await runtime.stop();
});

function flip(agent: Doer): string {
  return agent.id.key === "a" ? "b" : "a";
}

describe("a closed runtime", () => {
  const refused = {
    code: "shutting-down",
    message: expect.stringContaining("after the runtime was closed. Nothing is kept."),
  };

  test("keeps no told message and no reminder until it starts again", async () => {
    const stateStore = new MemoryStateStore();
    const done: unknown[] = [];
    const runtime = await openRuntime((message) => void done.push(message), { stateStore });
    await runtime.start();
    await runtime.sendMessage(say("before"), doerId);
    const doer = await runtime.tryGetUnderlyingAgentInstance(doerId, Doer);
    await runtime.close();
    await expect(runtime.tell(say("late"), doerId)).rejects.toMatchObject(refused);
    await expect(runtime.tell(say("late"), doerId, { sender: doerId })).rejects.toMatchObject(refused);
    await expect(doer.remindMe("late", { after: "1s" }, say("late"))).rejects.toMatchObject(refused);
    await expect(doer.cancelReminder("late")).rejects.toMatchObject(refused);
    expect(await stateStore.stats()).toMatchObject({ mail: 0, reminders: 0 });
    await runtime.start();
    await runtime.tell(say("again"), doerId);
    await runtime.stopWhenIdle();
    expect(done).toHaveLength(2);
  });

  test("keeps what an agent tells while it is deactivated", async () => {
    const stateStore = new MemoryStateStore();
    class Parting extends Doer {
      override async onDeactivate(): Promise<void> {
        await this.tell(say("goodbye"), doerId);
      }
    }
    const runtime = await openRuntime(undefined, { stateStore });
    await runtime.registerFactory("parting", () => new Parting((message) => message));
    await runtime.start();
    await runtime.sendMessage(say("x"), new AgentId("parting", "k"));
    await runtime.close();
    expect((await stateStore.stats()).mail).toBe(1);
  });
});
