import type { ServerHttp2Stream } from "node:http2";
import type { MemoryAccount } from "../../accounting/memory-account.ts";
import { toRpcStatus } from "../../calls/call-errors.ts";
import { startDeadline } from "../../calls/long-timer.ts";
import type { ServerCall } from "../../calls/server-call.ts";
import type { MessageLimits } from "../../limits.ts";
import type { LinkService } from "../../link.ts";
import type { MutableListenerCounters } from "../../listener-counters.ts";
import { RpcError, type RpcStatus, StatusCode } from "../../rpc-status.ts";
import { toTrailers } from "../framing/call-status.ts";
import type { Inflate } from "../framing/compression.ts";
import { packMessages } from "../framing/message-packing.ts";
import { MessageReader } from "../framing/message-reader.ts";
import { ANSWER_MS } from "../turns/costs.ts";
import type { Lane } from "../turns/lane.ts";
import { GRPC_RESPONSE_HEADERS, refuse } from "./server-response.ts";

export interface UnaryServing {
  readonly service: LinkService;
  readonly call: ServerCall;
  readonly limits: MessageLimits;
  readonly inflate: Inflate;
  /** Account for requests, and for answers that their callers have not read. */
  readonly account: MemoryAccount;
  readonly lane: Lane;
  readonly counters: MutableListenerCounters;
  /** Milliseconds in which the request must arrive. */
  readonly requestTimeoutMs: number;
}

/** Reads one request, calls the service, and writes its answer or its error. */
export function serveUnary(http2: ServerHttp2Stream, serving: UnaryServing): void {
  let request: Uint8Array | undefined;
  let problem: RpcStatus | undefined;
  const reader = new MessageReader({
    maxMessageBytes: serving.limits.maxReceiveMessageBytes,
    inflate: serving.inflate,
    account: serving.account,
    headBytes: 0,
    counters: serving.counters,
    onMessage: (message) => {
      if (request !== undefined)
        problem ??= { code: StatusCode.unimplemented, details: "A unary call takes one message." };
      else if (serving.account.take(message.byteLength)) request = message;
      else problem ??= noRoom("request", message, serving);
    },
    onBadMessage: (status) => {
      problem ??= status;
    },
  });
  const { lane } = serving;
  const callOffWait = startRequestWait(serving, () => {
    serving.counters.unfinishedRequests += 1;
    problem ??= {
      code: StatusCode.deadlineExceeded,
      details: `The request did not arrive whole within ${serving.requestTimeoutMs} ms.`,
    };
    refuse(http2, problem);
  });
  const read = (chunk: Uint8Array): void => {
    try {
      if (!http2.closed) reader.push(chunk);
    } catch (error) {
      // There was no memory for the message.
      problem ??= toRpcStatus(error);
    }
    if (problem !== undefined) refuse(http2, problem);
  };
  http2.on("data", (chunk: Uint8Array) => {
    lane.see(chunk.byteLength);
    if (lane.isFree) return lane.run(() => read(chunk));
    http2.pause();
    serving.account.add(chunk.byteLength);
    lane.queue(() => {
      serving.account.release(chunk.byteLength);
      read(chunk);
      http2.resume();
    });
  });
  http2.once("end", () => {
    callOffWait();
    lane.run(() => {
      if (http2.closed) return;
      reader.end();
      if (request === undefined)
        problem ??= { code: StatusCode.unimplemented, details: "A unary call needs a message." };
      if (problem !== undefined || request === undefined) refuse(http2, problem ?? toRpcStatus(undefined));
      else void answer(http2, request, serving);
    });
  });
  http2.once("close", () => {
    callOffWait();
    reader.close();
    serving.account.release(request?.byteLength ?? 0);
    // Headers are sent with the answer, so a stream that closes without them was given up by its caller.
    if (!http2.headersSent)
      serving.call.abort(new RpcError(StatusCode.cancelled, "The caller cancelled the call or is gone."));
  });
}

/** Calls back when the request has had its time. Time in which the connection is not read does not count. */
function startRequestWait({ requestTimeoutMs, lane }: UnaryServing, onPassed: () => void): () => void {
  let stop: () => void;
  const wait = (): void => {
    stop = startDeadline(requestTimeoutMs, () => (lane.isHeld ? wait() : onPassed()));
  };
  wait();
  return () => stop();
}

/** Answers the call; an error becomes the call's status. Never rejects. */
async function answer(http2: ServerHttp2Stream, request: Uint8Array, serving: UnaryServing): Promise<void> {
  try {
    serving.call.requestBytes = request.byteLength;
    const response = await serving.service.unary(request, serving.call);
    serving.lane.charge(ANSWER_MS);
    respond(http2, response, serving);
  } catch (error) {
    refuse(http2, toRpcStatus(error));
  }
}

function noRoom(what: string, { byteLength }: Uint8Array, { account, counters }: UnaryServing): RpcStatus {
  counters.refusedMessages += 1;
  const details = `The ${what} of ${byteLength} bytes finds no space. ${account.whyNot(byteLength)}`;
  return { code: StatusCode.resourceExhausted, details };
}

function respond(http2: ServerHttp2Stream, response: Uint8Array, serving: UnaryServing): void {
  const { limits, account } = serving;
  const maxSendBytes = limits.maxSendMessageBytes;
  if (response.byteLength > maxSendBytes) {
    throw new RpcError(
      StatusCode.resourceExhausted,
      `The answer of ${response.byteLength} bytes is over the server's sending limit of ${maxSendBytes} bytes.`,
    );
  }
  if (http2.destroyed || http2.closed || http2.headersSent) return;
  if (!account.take(response.byteLength)) return refuse(http2, noRoom("answer", response, serving));
  http2.once("close", () => account.release(response.byteLength));
  http2.respond(GRPC_RESPONSE_HEADERS, { waitForTrailers: true });
  http2.once("wantTrailers", () => {
    if (!http2.destroyed && !http2.closed) http2.sendTrailers(toTrailers({ code: StatusCode.ok, details: "" }));
  });
  http2.cork();
  for (const chunk of packMessages([response])) http2.write(chunk);
  http2.uncork();
  http2.end();
}
