import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  type SendOptions,
  SingleThreadedAgentRuntime,
  type TurnKind,
} from "../../../../src/core/index.ts";
import { Gate } from "../../../support/gate.ts";

const Ask = defineMessage("Ask", z.object({ text: z.string() }));
type Body = (text: string, agent: Scribe) => unknown;

/** An agent whose messages that begin with `read` only read. */
class Scribe extends BaseAgent {
  readonly #body: Body;

  constructor(body: Body) {
    super("a scribe");
    this.#body = body;
  }

  override turnKind(message: unknown): TurnKind {
    return Ask.is(message) && message.text.startsWith("read") ? "reading" : "alone";
  }

  protected override onMessageImpl({ text }: { readonly text: string }): unknown {
    return this.#body(text, this);
  }

  ask(type: string, text: string, options: SendOptions = {}): Promise<unknown> {
    return this.sendMessage(Ask({ text }), new AgentId(type, "k"), options);
  }
}

test("a call that waits is not let in beside a turn that gives it up meanwhile", async () => {
  await using runtime = new SingleThreadedAgentRuntime();
  const unwanted = new AbortController();
  const [begun, asked, goFirst, goSecond] = [new Gate(), new Gate(), new Gate(), new Gate()];
  const log: string[] = [];
  const written = new Gate();
  const bodies: { readonly [text: string]: (agent: Scribe) => unknown } = {
    "read 1": async (agent) => {
      await agent.ask("relay", "on", { signal: unwanted.signal }).catch(() => undefined);
      await goFirst.opened;
    },
    "read 2": async () => {
      begun.open();
      await goSecond.opened;
    },
    write: () => written.open(),
  };
  const book = async (text: string, agent: Scribe) => {
    log.push(`begins ${text}`);
    await bodies[text]?.(agent);
    log.push(`ends ${text}`);
  };
  const relay: Body = async (_text, agent) => {
    // The second reading turn does not wait for this call, so that the call waits.
    await begun.opened;
    const answer = agent.ask("book", "write");
    asked.open();
    return answer;
  };
  await runtime.registerFactory("book", () => new Scribe(book), { concurrency: "sequential" });
  await runtime.registerFactory("relay", () => new Scribe(relay), { concurrency: "interleaved" });
  await runtime.registerFactory("echo", () => new Scribe(() => undefined), { concurrency: "interleaved" });
  void runtime.start();
  const send = (type: string, text: string) => runtime.sendMessage(Ask({ text }), new AgentId(type, "k"));
  const [first, second] = [send("book", "read 1"), send("book", "read 2")];
  await asked.opened;
  await send("echo", "the call waits");
  unwanted.abort();
  goSecond.open();
  await second;
  await send("echo", "what may begin has begun");
  goFirst.open();
  await first;
  await written.opened;
  expect(log.slice(0, 5)).toEqual(["begins read 1", "begins read 2", "ends read 2", "ends read 1", "begins write"]);
});
