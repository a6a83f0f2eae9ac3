import { errorText } from "../core/internal.ts";
import {
  decodeAddSubscriptionRequest,
  decodeAgentId,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  decodeStoredState,
  emptyMessage,
  encodeGetStateAnswer,
  encodeSaveStateAnswer,
  method,
  serviceName,
  signals,
  states,
} from "../protocol/internal.ts";
import { type CallContext, type LinkService, RpcError, StatusCode } from "../transport/internal.ts";
import type { HostServicer } from "./servicer.ts";

type Unary = (request: Uint8Array, call: CallContext) => Promise<Uint8Array>;

/** Returns the encoded answer of GetSubscriptions. */
type ListSubscriptions = (call: CallContext) => Promise<Uint8Array>;

/** Serves a servicer's methods under their names on the wire, from and to bytes. */
export function createLinkService(servicer: HostServicer, listSubscriptions: ListSubscriptions): LinkService {
  const unary = new Map(Object.entries(unaryCalls(servicer, listSubscriptions)));
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

/** Serves side streams, the one method of a service of Troupe's own. */
export function createSideStreamService(servicer: HostServicer): LinkService {
  return createStreamService(signals, (call) => servicer.openSideStream(call));
}

/** Serves streams of states, the one method of a service of Troupe's own. */
export function createStateService(servicer: HostServicer): LinkService {
  return createStreamService(states, (call) => servicer.openStateStream(call));
}

function createStreamService(
  { serviceName, method }: { readonly serviceName: string; readonly method: string },
  stream: LinkService["stream"],
): LinkService {
  return {
    serviceName,
    unaryMethods: new Set(),
    streamMethods: new Set([method]),
    unary: async (_request, call) => {
      throw unknownMethod(call);
    },
    stream,
  };
}

function unaryCalls(servicer: HostServicer, listSubscriptions: ListSubscriptions): { readonly [name: string]: Unary } {
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
    [method.getSubscriptions]: (_request, call) => listSubscriptions(call),
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
