import type { Authenticator, ConnectionOptions, Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { errorText, TroupeError } from "../core/internal.ts";

export type { Authenticator, ConnectionOptions, Msg, MsgHdrs, NatsConnection };

/** The part of the package `@nats-io/transport-node` that the adapter uses. */
export interface NatsModule {
  connect(options: ConnectionOptions): Promise<NatsConnection>;
  createInbox(prefix?: string): string;
  headers(): MsgHdrs;
  credsAuthenticator(credentials: Uint8Array): Authenticator;
  nkeyAuthenticator(seed: Uint8Array): Authenticator;
}

/** Imports the package `@nats-io/transport-node`. Rejects with what to install. */
export async function loadNats(
  importNats: () => Promise<unknown> = () => import("@nats-io/transport-node"),
): Promise<NatsModule> {
  try {
    return (await importNats()) as NatsModule;
  } catch (cause) {
    const text = `NATS needs the package @nats-io/transport-node: npm install @nats-io/transport-node@3 (${errorText(cause)})`;
    throw new TroupeError("wrong-state", text, { cause });
  }
}
