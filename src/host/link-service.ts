import { Buffer } from "node:buffer";
import { type Clock, errorText } from "../core/internal.ts";
import {
  decodeAddSubscriptionRequest,
  decodeAgentId,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  decodeStoredState,
  emptyMessage,
  encodeGetStateAnswer,
  encodeGetSubscriptionsResponse,
  encodeSaveStateAnswer,
  method,
  serviceName,
  signals,
  type WireSubscription,
} from "../protocol/internal.ts";
import { type CallContext, type LinkService, RpcError, StatusCode } from "../transport/internal.ts";
import { BatchRunner } from "./batch-runner.ts";
import { limits } from "./limits.ts";
import type { HostServicer } from "./servicer.ts";

type Unary = (request: Uint8Array, call: CallContext) => Promise<Uint8Array>;

/** Serves a servicer's methods under their names on the wire, from and to bytes. */
export function createLinkService(servicer: HostServicer, clock: Clock): LinkService {
  const unary = new Map(Object.entries(unaryCalls(servicer, new BatchRunner(clock))));
  return {
    serviceName,
    unaryMethods: new Set(unary.keys()),
    streamMethods: new Set([method.openChannel, method.openControlChannel]),
    unary: async (request, call) => {
      const serve = unary.get(call.method);
      if (serve === undefined) throw unknownMethod(call);
      return serve(request, call);
    },
    stream: (call) => {
      switch (call.method) {
        case method.openChannel:
          return servicer.openChannel(call);
        case method.openControlChannel:
          return servicer.openControlChannel(call);
        default:
          throw unknownMethod(call);
      }
    },
  };
}

/** Serves side streams, the one method of Troupe's own service. */
export function createSideStreamService(servicer: HostServicer): LinkService {
  return {
    serviceName: signals.serviceName,
    unaryMethods: new Set(),
    streamMethods: new Set([signals.method]),
    unary: async (_request, call) => {
      throw unknownMethod(call);
    },
    stream: (call) => servicer.openSideStream(call),
  };
}

function unaryCalls(servicer: HostServicer, listings: BatchRunner): { readonly [name: string]: Unary } {
  return {
    [method.registerAgent]: async (request, call) => {
      await servicer.registerAgent({ agentType: read(decodeRegisterAgentRequest, request) }, call);
      return emptyMessage;
    },
    [method.addSubscription]: async (request, call) => {
      await servicer.addSubscription(read(decodeAddSubscriptionRequest, request), call);
      return emptyMessage;
    },
    [method.removeSubscription]: async (request, call) => {
      await servicer.removeSubscription({ id: read(decodeRemoveSubscriptionRequest, request) }, call);
      return emptyMessage;
    },
    [method.getSubscriptions]: async (_request, call) =>
      writeSubscriptions(await servicer.getSubscriptions(call), listings),
    [method.getState]: async (request, call) =>
      encodeGetStateAnswer(await servicer.getState(read(decodeAgentId, request), call)),
    [method.saveState]: async (request, call) =>
      encodeSaveStateAnswer(await servicer.saveState(read(decodeStoredState, request), call)),
  };
}

function read<T>(decode: (bytes: Uint8Array) => T, request: Uint8Array): T {
  try {
    return decode(request);
  } catch (cause) {
    throw new RpcError(StatusCode.invalidArgument, errorText(cause), { cause });
  }
}

function unknownMethod(call: CallContext): RpcError {
  return new RpcError(StatusCode.unimplemented, `The method ${call.method} is not served here.`);
}

/** Encodes a GetSubscriptions answer in batches, so that messages do not wait for the end of a long one. */
function writeSubscriptions(subscriptions: readonly WireSubscription[], listings: BatchRunner): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    listings.add(writing(subscriptions, resolve, reject));
  });
}

function* writing(
  subscriptions: readonly WireSubscription[],
  resolve: (answer: Uint8Array) => void,
  reject: (error: unknown) => void,
): Iterable<() => void> {
  const parts: Uint8Array[] = [];
  const { listedAtOnce } = limits;
  for (let at = 0; at < subscriptions.length; at += listedAtOnce) {
    yield () => {
      try {
        parts.push(encodeGetSubscriptionsResponse(subscriptions.slice(at, at + listedAtOnce)));
      } catch (error) {
        reject(error);
      }
    };
  }
  resolve(Buffer.concat(parts));
}
