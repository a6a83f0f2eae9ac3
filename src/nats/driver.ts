import { errorText, TroupeError } from "../core/internal.ts";

/** Headers of a message, as the package `@nats-io/transport-node` has them. */
export interface MsgHdrs {
  readonly code: number;
  readonly description: string;
  get(name: string): string;
  has(name: string): boolean;
  keys(): readonly string[];
  set(name: string, value: string): void;
}

/** A message that has arrived. */
export interface Msg {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string | undefined;
  readonly headers?: MsgHdrs | undefined;
}

/** An error of the connection. `subject`: the servers do not let this client publish or subscribe there. */
export interface RefusedUse extends Error {
  readonly subject?: string;
}

/** A connection: the part of the class of the package that the adapter uses. */
export interface NatsConnection {
  readonly info?:
    | {
        readonly version: string;
        readonly max_payload: number;
        readonly cluster?: string;
        readonly server_name?: string;
        readonly jetstream?: boolean;
      }
    | undefined;
  rtt(): Promise<number>;
  publish(
    subject: string,
    payload: Uint8Array,
    options?: { readonly reply?: string; readonly headers?: MsgHdrs },
  ): void;
  subscribe(
    subject: string,
    options: { readonly callback: (error: Error | null, message: Msg) => void },
  ): { unsubscribe(): void };
  status(): AsyncIterable<{ readonly type: string; readonly server?: unknown; readonly error?: RefusedUse }>;
  close(): Promise<void>;
}

/** Options with which the package connects. */
export type ConnectionOptions = Readonly<Record<string, unknown>>;

/** The part of the package `@nats-io/transport-node` that the adapter uses. */
export interface NatsModule {
  connect(options: ConnectionOptions): Promise<NatsConnection>;
  createInbox(prefix?: string): string;
  headers(): MsgHdrs;
  credsAuthenticator(credentials: Uint8Array): unknown;
  nkeyAuthenticator(seed: Uint8Array): unknown;
}

/** Imports the package `@nats-io/transport-node`. Rejects with what to install. */
export async function loadNats(importNats?: () => Promise<unknown>): Promise<NatsModule> {
  try {
    // A program that joins files into one takes an `import` in a `try` for optional.
    const loaded: unknown = importNats === undefined ? await import("@nats-io/transport-node") : await importNats();
    return loaded as NatsModule;
  } catch (cause) {
    const text = `NATS needs the package @nats-io/transport-node: npm install @nats-io/transport-node@3 (${errorText(cause)})`;
    throw new TroupeError("wrong-state", text, { cause });
  }
}
