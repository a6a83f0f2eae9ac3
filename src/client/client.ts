import type { MessageType } from "../core/internal.ts";
import { errorOf } from "./client-error.ts";
import type {
  Client,
  ClientAnswer,
  ClientChunk,
  ClientEvent,
  ClientOptions,
  ClientRun,
  ClientRunOptions,
  ClientRunStatus,
  ClientSignalOptions,
  ClientStream,
  ClientSubscribeOptions,
} from "./client-types.ts";
import { Attempts, ask, eventsOf, lossOf, type ServerEvent } from "./exchange.ts";

interface Sent {
  readonly type: string;
  readonly message: unknown;
}

/**
 * Makes a client of a gateway (`troupe/web`), for browsers, edges and scripts. It needs `fetch` alone. Types of messages are given as types, so that
 * no schema is in the bundle.
 *
 * @example
 * ```ts
 * const client = createClient({ url: "/api" });
 * const run = await client.run<typeof AskPoem>("AskPoem", { topic: "the sea" }, "poet/default");
 * for await (const line of run) show(line.text);
 * const poem = await run.answer;
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const { retryMs = 120_000 } = options;

  /** Reads a run from its beginning to its end, over as many connections as it takes. */
  async function* readRun(path: string, signal?: AbortSignal): AsyncGenerator<ServerEvent, void, undefined> {
    const attempts = new Attempts(retryMs, signal);
    let last: string | undefined;
    for (;;) {
      try {
        const headers: Record<string, string> = last === undefined ? {} : { "last-event-id": last };
        const response = await ask(options, { method: "GET", path, headers, signal });
        for await (const event of eventsOf(response, signal)) {
          attempts.succeeded();
          yield event;
          last = event.id;
          if (last === "end") return;
        }
        await attempts.failed(lossOf("the answer has ended", signal));
      } catch (error) {
        await attempts.failed(error);
      }
    }
  }

  async function* readStream(
    path: string,
    body: Sent,
    signal?: AbortSignal,
  ): AsyncGenerator<ServerEvent, void, undefined> {
    const response = await ask(options, { method: "POST", path, body, signal });
    for await (const event of eventsOf(response, signal)) {
      yield event;
      if (event.event !== "chunk") return;
    }
    throw lossOf("the stream has ended before its answer", signal);
  }

  function runAt<Type extends MessageType>(agent: string, id: string, signal?: AbortSignal): ClientRun<Type> {
    const path = `${agentPath(agent)}/runs/${encodeURIComponent(id)}`;
    return Object.assign(new Reading<Type>(() => readRun(path, signal)), {
      id,
      status: async (): Promise<ClientRunStatus> => {
        const { headers } = await ask(options, { method: "HEAD", path, signal });
        const told = (name: string) => headers.get(`troupe-run-${name}`);
        // The gateway tells one of these states.
        const status = told("status") as ClientRunStatus["status"];
        return { status, first: Number(told("first")), next: Number(told("next")) };
      },
      cancel: async () => void (await ask(options, { method: "DELETE", path, signal })),
    });
  }

  return {
    async call<Type extends MessageType>(
      type: string,
      message: unknown,
      agent: string,
      { signal, timeoutMs }: ClientSignalOptions & { readonly timeoutMs?: number | undefined } = {},
    ) {
      const body = { type, message, timeoutMs };
      const response = await ask(options, { method: "POST", path: `${agentPath(agent)}/calls`, body, signal });
      // The agent's answer is of the type that the message declares.
      return (response.status === 204 ? undefined : await response.json()) as ClientAnswer<Type>;
    },

    stream<Type extends MessageType>(
      type: string,
      message: unknown,
      agent: string,
      { signal }: ClientSignalOptions = {},
    ) {
      return new Reading<Type>(() => readStream(`${agentPath(agent)}/streams`, { type, message }, signal));
    },

    async run<Type extends MessageType>(
      type: string,
      message: unknown,
      agent: string,
      { id = crypto.randomUUID(), signal, timeoutMs }: ClientRunOptions = {},
    ) {
      const attempts = new Attempts(retryMs, signal);
      const path = `${agentPath(agent)}/runs/${encodeURIComponent(id)}`;
      for (;;) {
        try {
          await ask(options, { method: "PUT", path, body: { type, message, timeoutMs }, signal });
          return runAt<Type>(agent, id, signal);
        } catch (error) {
          await attempts.failed(error);
        }
      }
    },

    attach<Type extends MessageType>(agent: string, id: string, { signal }: ClientSignalOptions = {}) {
      return runAt<Type>(agent, id, signal);
    },

    async *subscribe<Type extends MessageType>(
      topic: string,
      { signal, onConnect, onReconnect }: ClientSubscribeOptions = {},
    ) {
      const attempts = new Attempts(retryMs, signal);
      for (let isFirst = true; ; isFirst = false) {
        try {
          const response = await ask(options, { method: "GET", path: topicPath(topic), signal });
          attempts.succeeded();
          onConnect?.();
          if (!isFirst) onReconnect?.();
          for await (const { event, data } of eventsOf(response, signal)) {
            if (event === "error") break;
            // The gateway sends the types alone that the topic exposes.
            const { type, message } = data as Sent;
            yield { type, event: message } as ClientEvent<Type>;
          }
          await attempts.failed(lossOf("the stream has ended", signal));
        } catch (error) {
          await attempts.failed(error);
        }
      }
    },

    async publish(type, message, topic, { signal } = {}) {
      await ask(options, { method: "POST", path: topicPath(topic), body: { type, message }, signal });
    },
  };
}

/** Reads chunks, then the answer. Each loop reads by itself. */
class Reading<Type extends MessageType> implements ClientStream<Type> {
  readonly #open: () => AsyncIterable<ServerEvent>;
  #answer: Promise<ClientAnswer<Type>> | undefined;

  constructor(open: () => AsyncIterable<ServerEvent>) {
    this.#open = open;
  }

  get answer(): Promise<ClientAnswer<Type>> {
    this.#answer ??= this.#lastOf();
    return this.#answer;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ClientChunk<Type>, void, undefined> {
    let resolve: (answer: ClientAnswer<Type>) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    // A reader that asks for the answer meanwhile gets that of this loop.
    const answer = new Promise<ClientAnswer<Type>>((...settle) => {
      [resolve, reject] = settle;
    });
    answer.catch(() => {});
    this.#answer = answer;
    try {
      for await (const event of this.#open()) {
        const message = messageIn(event);
        // The gateway sends messages of the types that the message declares.
        if (event.event === "chunk") yield message as ClientChunk<Type>;
        else return resolve(message as ClientAnswer<Type>);
      }
    } catch (error) {
      reject(error);
      throw error;
    } finally {
      // It does nothing after the end.
      reject(new Error("The loop was left before the answer."));
    }
  }

  async #lastOf(): Promise<ClientAnswer<Type>> {
    let last: unknown;
    for await (const event of this.#open()) last = messageIn(event);
    // As above.
    return last as ClientAnswer<Type>;
  }
}

/** Returns the message of an event. Throws the error that ends a stream. */
function messageIn({ event, data }: ServerEvent): unknown {
  if (event === "error") throw errorOf(data);
  // The gateway sends a type and a message with every other event.
  return (data as Sent).message;
}

function agentPath(agent: string): string {
  return `/agents/${pathOf(agent)}`;
}

function topicPath(topic: string): string {
  return `/topics/${pathOf(topic)}`;
}

/** `type/key`, split at the first slash. */
function pathOf(name: string): string {
  const at = name.indexOf("/");
  return `${encodeURIComponent(name.slice(0, at))}/${encodeURIComponent(name.slice(at + 1))}`;
}
