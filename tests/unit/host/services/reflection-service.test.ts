import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ReflectionServices } from "../../../../src/host/services/reflection-service.ts";
import { ServerReflectionRequestSchema } from "../../../../src/protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { type CallContext, type RpcStatus, type ServerStream, StatusCode } from "../../../../src/transport/internal.ts";

const request = toBinary(
  ServerReflectionRequestSchema,
  create(ServerReflectionRequestSchema, {
    messageRequest: { case: "fileContainingSymbol", value: "agents.AgentRpc" },
  }),
);
const call = {} as CallContext;

/** A stream whose client reads nothing. */
function unreadStream() {
  const ends: RpcStatus[] = [];
  const stream = {
    queuedBytes: 0,
    send(frame: Uint8Array) {
      stream.queuedBytes += frame.byteLength;
      return true;
    },
    abort: (status: RpcStatus) => void ends.push(status),
    finish: (status: RpcStatus) => void ends.push(status),
  };
  return { stream: stream as unknown as ServerStream, ends };
}

const places = { max: 100, onGaveWay: () => undefined };

test("a client that asks and never reads is cut off, and holds a bounded number of bytes", () => {
  const [service] = new ReflectionServices(places).services;
  const receiver = service?.stream(call);
  const { stream, ends } = unreadStream();
  receiver?.onOpen(stream);
  for (let count = 0; count < 1_000 && ends.length === 0; count += 1) receiver?.onFrame(request);
  expect(ends).toMatchObject([{ code: StatusCode.resourceExhausted }]);
  expect(stream.queuedBytes).toBeLessThan(1.1 * 1024 * 1024);
});

test("a host has a bounded number of reflection streams, and ends them when it stops", () => {
  const services = new ReflectionServices(places);
  const open = () => services.services[0]?.stream(call);
  const receivers = Array.from({ length: 100 }, open);
  expect(open).toThrow(expect.objectContaining({ code: StatusCode.resourceExhausted }));
  receivers[0]?.onEnd({ by: "peer" });
  const { stream, ends } = unreadStream();
  open()?.onOpen(stream);
  services.close();
  expect(ends).toMatchObject([{ code: StatusCode.unavailable }]);
});
