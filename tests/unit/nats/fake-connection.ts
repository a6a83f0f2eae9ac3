import type { Msg, NatsConnection, NatsModule } from "../../../src/nats/driver.ts";

type Callback = (error: null, message: Msg) => void;

export interface FakeServer {
  /** The answer to a message that asks for one. Undefined: none. */
  readonly answer: (subject: string, body: Uint8Array) => Partial<Msg> | undefined;
  /** Called with what a subscriber hears whom a message without an answer names. */
  readonly onUnanswered?: (subject: string, hear: Callback) => void;
  readonly version?: string;
  readonly close?: () => Promise<void>;
}

const nothing = (): void => undefined;

/** No status of the connection ever comes. */
async function* statusless(): AsyncGenerator<never> {
  yield await new Promise<never>(nothing);
}

/** The library with a connection to a server that says only what a test gives, at once. */
export function fakeNats({ answer, onUnanswered = nothing, version = "2.12.3", close }: FakeServer): {
  readonly module: NatsModule;
  readonly connection: NatsConnection;
} {
  const subscribers = new Map<string, Callback>();
  let inboxes = 0;
  const connection = {
    ...{ status: statusless, info: { version, max_payload: 1_000_000 }, close: close ?? (async () => undefined) },
    subscribe: (subject: string, { callback }: { readonly callback: Callback }) => {
      subscribers.set(subject, callback);
      return { unsubscribe: () => void subscribers.delete(subject) };
    },
    publish: (subject: string, body: Uint8Array, { reply = "" }: { readonly reply?: string } = {}) => {
      const hear = subscribers.get(reply.replace(/[^.]+$/, "*"));
      if (hear === undefined) return;
      const message = answer(subject, body);
      if (message === undefined) onUnanswered(subject, hear);
      // Only these members are used.
      else hear(null, { data: new Uint8Array(0), headers: undefined, ...message, subject: reply } as Msg);
    },
  };
  const module = {
    createInbox: () => {
      inboxes += 1;
      return `_INBOX.${inboxes}`;
    },
    headers: () => ({ set: nothing }),
  };
  // Only these members of the library are used.
  return { module: module as unknown as NatsModule, connection: connection as unknown as NatsConnection };
}
