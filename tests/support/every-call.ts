import {
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  method,
} from "../../src/protocol/index.ts";
import { encodeAgentId, encodeStoredState, signals } from "../../src/protocol/internal.ts";
import { type Link, RpcError, type RpcStatus, type StreamEnd } from "../../src/transport/index.ts";
import { exact } from "./raw-worker.ts";

const agentId = { type: "a", key: "k" };
/** The metadata of every call. */
export const calledAsW = { metadata: { "client-id": "W" } };

const unaryCalls: readonly (readonly [method: string, request: Uint8Array])[] = [
  [method.registerAgent, encodeRegisterAgentRequest("a")],
  [method.addSubscription, encodeAddSubscriptionRequest({ id: "S", pattern: exact("t", "a") })],
  [method.removeSubscription, encodeRemoveSubscriptionRequest("S")],
  [method.getSubscriptions, emptyMessage],
  [method.getState, encodeAgentId(agentId)],
  [method.saveState, encodeStoredState({ agentId, eTag: "", data: { kind: "text", text: "{}" } })],
];
const streams = [method.openChannel, method.openControlChannel, signals.path];

/** Every call a host serves, made as a worker with a client id would; resolves to how the host refused it. */
export const everyCall: readonly (readonly [
  method: string,
  refusal: (link: Link) => Promise<RpcStatus | undefined>,
])[] = [
  ...unaryCalls.map(([name, request]) => [name, (link: Link) => refusalOfUnary(link, name, request)] as const),
  ...streams.map((name) => [name, (link: Link) => refusalOfStream(link, name)] as const),
];

async function refusalOfUnary(link: Link, name: string, request: Uint8Array): Promise<RpcStatus | undefined> {
  try {
    await link.unary(name, request, calledAsW);
    return undefined;
  } catch (error) {
    if (error instanceof RpcError) return error.status;
    throw error;
  }
}

async function refusalOfStream(link: Link, name: string): Promise<RpcStatus | undefined> {
  const end = await new Promise<StreamEnd | undefined>((resolve) => {
    const stream = link.openStream(
      name,
      {
        onMetadata: () => {
          stream.cancel();
          resolve(undefined);
        },
        onFrame: () => {},
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => {},
        onEnd: resolve,
      },
      calledAsW,
    );
  });
  return end?.by === "status" ? end.status : undefined;
}
