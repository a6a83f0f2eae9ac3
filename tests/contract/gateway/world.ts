import { createGateway, type Gateway, type GatewayOptions } from "troupe/web";
import { z } from "zod";
import {
  type AgentRuntime,
  defineMessage,
  handlerTable,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";

export const Line = defineMessage("Line", z.object({ text: z.string() }));
export const Poem = defineMessage("Poem", z.object({ text: z.string() }));
export const AskPoem = defineMessage("AskPoem", z.object({ topic: z.string() }), { answer: Poem, chunk: Line });
export const Forget = defineMessage("Forget", z.object({ topic: z.string() }));
/** The agent takes it, and the gateway does not expose it. */
export const Secret = defineMessage("Secret", z.object({ word: z.string() }));
export const News = defineMessage("News", z.object({ text: z.string() }));

/** What the poet does, as a test holds it. */
export class Poetry {
  /** Opens for topics that wait. */
  readonly gate = new Gate();
  readonly hasBegun = new Inbox<string>();
  readonly ended = new Inbox<string>();
  readonly keys: string[] = [];
}

class Poet extends RoutedAgent {
  readonly #poetry: Poetry;

  static override readonly handlers = handlerTable<Poet>()
    .rpc(AskPoem, function (ask, context) {
      return this.#compose(ask, context);
    })
    .rpc(Forget, () => undefined)
    .rpc(Secret, ({ word }) => Poem({ text: word }));

  constructor(poetry: Poetry) {
    super("writes poems");
    this.#poetry = poetry;
  }

  async *#compose({ topic }: MessageOf<typeof AskPoem>, { signal }: MessageContext) {
    this.#poetry.keys.push(this.id.key);
    try {
      yield Line({ text: `${topic} 1` });
      if (topic === "fails") throw new Error("the password of the store is 1234");
      if (topic === "waits") {
        this.#poetry.hasBegun.put(topic);
        await Promise.race([this.#poetry.gate.opened, untilAborted(signal)]);
        signal.throwIfAborted();
      }
      yield Line({ text: `${topic} 2\nindented` });
      return Poem({ text: `on ${topic}` });
    } finally {
      const reason: unknown = signal.reason;
      this.#poetry.ended.put(reason instanceof Error && "code" in reason ? String(reason.code) : "done");
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Where the gateway is, and where the agents are. */
export interface GatewayWorld {
  readonly front: AgentRuntime;
  readonly agents: AgentRuntime;
  close(): Promise<void>;
}

export type OpenWorld = () => Promise<GatewayWorld>;

export const local = { remoteAddress: "127.0.0.1" };
const base = "http://127.0.0.1:8080";

/** A gateway over a poet. */
export class Stage implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly poetry: Poetry;
  readonly world: GatewayWorld;

  private constructor(world: GatewayWorld, poetry: Poetry, options: GatewayOptions) {
    this.world = world;
    this.poetry = poetry;
    const exposed = { poet: { messages: [AskPoem, Forget] } };
    const topics = { news: { subscribe: [News], publish: [News] } };
    this.gateway = createGateway(world.front, { expose: exposed, topics, ...options });
  }

  static async open(openWorld: OpenWorld, options: GatewayOptions = {}): Promise<Stage> {
    const world = await openWorld();
    const poetry = new Poetry();
    await Poet.register(world.agents, "poet", () => new Poet(poetry));
    return new Stage(world, poetry, options);
  }

  /** Sends a request. A body is sent as JSON. */
  ask(method: string, path: string, { body, headers = {}, signal }: AskOptions = {}): Promise<Response> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const given = { method, headers: { ...type, ...headers }, ...sent, ...(signal === undefined ? {} : { signal }) };
    return this.gateway.fetch(new Request(`${base}${path}`, given), local);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.poetry.gate.open();
    await this.gateway.close();
    await this.world.close();
  }
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One event as a browser reads it. */
export interface ReadEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Reads the events of an answer. */
export async function* eventsOf(response: Response): AsyncGenerator<ReadEvent, void, undefined> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data !== undefined) yield { event: field("event") ?? "message", id: field("id"), data: JSON.parse(data) };
    }
  }
}

export async function allEvents(response: Response): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { event, id, data } of eventsOf(response))
    found.push(`${event} ${id ?? "-"} ${JSON.stringify(data)}`);
  return found;
}

/** Returns the status and the code of a problem. */
export async function problemOf(response: Response): Promise<readonly unknown[]> {
  // Every problem has these fields.
  const { code, status } = (await response.json()) as { readonly code: unknown; readonly status: unknown };
  if (status !== response.status)
    throw new Error(`The problem has ${String(status)}, and the answer ${response.status}.`);
  return [response.status, code];
}
