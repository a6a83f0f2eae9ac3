import {
  type CallContext,
  type FairCount,
  partyOfCall,
  RpcError,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
} from "../../transport/internal.ts";

/** The way a service handles one of its streams. */
export interface FairStreamUse {
  /** Where the stream takes its place. */
  readonly places: FairCount;
  /** The status text of a stream that finds no place. */
  readonly noPlaceText: string;
  /** The status text of a stream that loses its place. */
  readonly gaveWayText: string;
  readonly onOpen?: (stream: ServerStream) => void;
  readonly onRequest: (stream: ServerStream, request: Uint8Array) => void;
  readonly onHalfClose: (stream: ServerStream) => void;
  readonly onEnd: (stream: ServerStream) => void;
}

/** Accepts a stream for which its address has a place. The stream ends when others need the place. Throws `resourceExhausted`. */
export function acceptFairStream(call: CallContext, use: FairStreamUse): ServerStreamReceiver {
  const { places } = use;
  const code = StatusCode.resourceExhausted;
  const party = partyOfCall(call);
  if (!places.mayTake(party)) throw new RpcError(code, use.noPlaceText);
  const gaveWay = { code, details: use.gaveWayText };
  let stream: ServerStream | undefined;
  let isLost = false;
  const place = places.take(party, () => {
    isLost = true;
    stream?.abort(gaveWay);
  });
  return {
    onOpen: (opened) => {
      stream = opened;
      use.onOpen?.(opened);
      if (isLost) opened.abort(gaveWay);
    },
    onFrame: (request) => {
      if (stream !== undefined) use.onRequest(stream, request);
    },
    onHalfClose: () => {
      if (stream !== undefined) use.onHalfClose(stream);
    },
    onBadFrame: (status) => stream?.finish(status),
    onDrain: () => undefined,
    onEnd: () => {
      place.leave();
      if (stream !== undefined) use.onEnd(stream);
    },
  };
}
