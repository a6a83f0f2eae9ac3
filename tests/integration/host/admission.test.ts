import { describe, expect, it } from "vitest";
import {
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
  method,
} from "../../../src/protocol/index.ts";
import { encodeAgentId, encodeStoredState, signals } from "../../../src/protocol/internal.ts";
import { type Link, RpcError, type RpcStatus, StatusCode, type StreamEnd } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact } from "../../support/raw-worker.ts";

const agentId = { type: "a", key: "k" };
const options = { metadata: { "client-id": "W" } };

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
const calls: readonly (readonly [method: string, refusal: (link: Link) => Promise<RpcStatus | undefined>])[] = [
  ...unaryCalls.map(([name, request]) => [name, (link: Link) => refusalOfUnary(link, name, request)] as const),
  ...streams.map((name) => [name, (link: Link) => refusalOfStream(link, name)] as const),
];

async function refusalOfUnary(link: Link, name: string, request: Uint8Array): Promise<RpcStatus | undefined> {
  try {
    await link.unary(name, request, options);
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
      options,
    );
  });
  return end?.by === "status" ? end.status : undefined;
}

describe.each(hostTransports)("a call of a worker that may not join, over $name", ({ start }) => {
  it.each(calls)("%s is refused with the status of the authorize option (H23)", async (name, refusal) => {
    const asked: string[] = [];
    const status = { code: StatusCode.unauthenticated, details: "who are you?" };
    await using rig = await start({
      authorize: (call) => {
        asked.push(call.method);
        return status;
      },
    });
    expect(await refusal(rig.dial())).toEqual(status);
    expect(asked).toEqual([name.slice(name.lastIndexOf("/") + 1)]);
    expect(rig.host.counters()).toMatchObject({ channels: 0, controlChannels: 0, agentTypes: 0, subscriptions: 0 });
  });

  it.each(calls)("%s is refused while the host is ending (H21)", async (_name, refusal) => {
    await using rig = await start();
    const link = rig.dial();
    await link.unary(method.getSubscriptions, emptyMessage, options);
    await rig.host.servicer.drain(1_000, Promise.resolve());
    expect(await refusal(link)).toEqual({ code: StatusCode.unavailable, details: "Host is shutting down." });
  });
});
