import type { ServerHttp2Stream } from "node:http2";
import type { MessageLimits } from "../limits.ts";
import type { LinkService } from "../link.ts";
import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";
import type { ServerCall } from "../server-call.ts";
import { toRpcStatus } from "../to-rpc-status.ts";
import type { Inflate } from "./compression.ts";
import { packMessages } from "./message-packing.ts";
import { MessageReader } from "./message-reader.ts";
import { GRPC_RESPONSE_HEADERS, refuse } from "./server-response.ts";
import { toTrailers } from "./status-trailers.ts";

export interface UnaryServing {
  readonly service: LinkService;
  readonly call: ServerCall;
  readonly limits: MessageLimits;
  readonly inflate: Inflate;
}

/** Reads one request, asks the service, writes its answer or its error. */
export function serveUnary(http2: ServerHttp2Stream, serving: UnaryServing): void {
  let request: Uint8Array | undefined;
  let problem: RpcStatus | undefined;
  const reader = new MessageReader({
    maxMessageBytes: serving.limits.maxReceiveMessageBytes,
    inflate: serving.inflate,
    onMessage: (message) => {
      if (request !== undefined)
        problem ??= { code: StatusCode.unimplemented, details: "A unary call takes one message." };
      request ??= message;
    },
    onBadMessage: (status) => {
      problem ??= status;
    },
  });
  http2.on("data", (chunk: Uint8Array) => {
    reader.push(chunk);
    if (problem !== undefined) refuse(http2, problem);
  });
  http2.once("end", () => {
    reader.end();
    if (request === undefined) problem ??= { code: StatusCode.unimplemented, details: "A unary call needs a message." };
    if (problem !== undefined || request === undefined) refuse(http2, problem ?? toRpcStatus(undefined));
    else void answer(http2, request, serving);
  });
  http2.once("close", () => {
    // Headers go out with the answer, so a stream that closes before them was given up by the caller.
    if (!http2.headersSent)
      serving.call.abort(new RpcError(StatusCode.cancelled, "The caller cancelled the call or is gone."));
  });
}

/** Never rejects: whatever goes wrong becomes the call's status. */
async function answer(http2: ServerHttp2Stream, request: Uint8Array, serving: UnaryServing): Promise<void> {
  try {
    const response = await serving.service.unary(request, serving.call);
    respond(http2, response, serving.limits.maxSendMessageBytes);
  } catch (error) {
    refuse(http2, toRpcStatus(error));
  }
}

function respond(http2: ServerHttp2Stream, response: Uint8Array, maxSendBytes: number): void {
  if (response.byteLength > maxSendBytes) {
    throw new RpcError(
      StatusCode.resourceExhausted,
      `The answer of ${response.byteLength} bytes is over the server's sending limit of ${maxSendBytes} bytes.`,
    );
  }
  if (http2.destroyed || http2.closed || http2.headersSent) return;
  http2.respond(GRPC_RESPONSE_HEADERS, { waitForTrailers: true });
  http2.once("wantTrailers", () => {
    if (!http2.destroyed && !http2.closed) http2.sendTrailers(toTrailers({ code: StatusCode.ok, details: "" }));
  });
  http2.cork();
  for (const chunk of packMessages([response])) http2.write(chunk);
  http2.uncork();
  http2.end();
}
