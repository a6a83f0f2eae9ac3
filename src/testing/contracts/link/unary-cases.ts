import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type CallContext, RpcError, StatusCode } from "../../../transport/internal.ts";
import type { LinkCase } from "./contract-case.ts";
import { message, rejectsWith, sameBytes } from "./expectations.ts";
import { HangingService } from "./test-service.ts";

const MIB = 1024 * 1024;

export const unaryCases: readonly LinkCase[] = [
  {
    promise: "a unary call carries the request to the service and the answer back",
    async tryIt(lab) {
      const { link } = await lab.connect();
      sameBytes(await link.unary("Echo", message(100)), message(100));
      sameBytes(await link.unary("Echo", message(0)), message(0));
      sameBytes(await link.unary("Echo", message(5 * MIB)), message(5 * MIB));
    },
  },
  {
    promise: "the service learns method, metadata, peer and user-agent of a call",
    async tryIt(lab) {
      const calls: CallContext[] = [];
      const { link } = await lab.connect({
        async unary(request, call) {
          calls.push(call);
          return request;
        },
      });
      await link.unary("Other", message(1), {
        metadata: { "client-id": "a, b", "Upper-Case": "x", "trace-bin": "AAEC" },
      });
      const [call] = calls;
      equal(call?.method, "Other");
      equal(call?.metadata["client-id"], "a, b");
      equal(call?.metadata["upper-case"], "x");
      equal(call?.metadata["trace-bin"], "AAEC");
      match(call?.metadata["user-agent"] ?? "", /^grpc-troupe-js\//);
      ok((call?.peer ?? "") !== "");
      equal(call?.signal.aborted, false);
      deepEqual(
        Object.keys(call?.metadata ?? {}).filter((key) => key.startsWith(":") || key.startsWith("grpc-")),
        [],
      );
    },
  },
  {
    promise: "an RpcError of the service reaches the caller with its code and text, whatever the characters",
    async tryIt(lab) {
      const details = 'Agent type "é €😀%20" already registered\n100% sure';
      const { link } = await lab.connect({
        unary: async () => {
          throw new RpcError(StatusCode.alreadyExists, details);
        },
      });
      const error = await rejectsWith(StatusCode.alreadyExists, link.unary("Echo", message(1)));
      equal(error.message, details);
      equal(error.origin, "peer", "the status came from the server");
    },
  },
  {
    promise: "any other error of the service becomes internal, with its text",
    async tryIt(lab) {
      const { link } = await lab.connect({
        unary: async () => {
          throw new Error("the disk is full");
        },
      });
      const error = await rejectsWith(StatusCode.internal, link.unary("Echo", message(1)));
      equal(error.message, "the disk is full");
    },
  },
  {
    promise: "an unknown method or service is unimplemented",
    async tryIt(lab) {
      const { link } = await lab.connect();
      const error = await rejectsWith(StatusCode.unimplemented, link.unary("Nope", message(1)));
      equal(error.message, "Method not found: /agents.AgentRpc/Nope");
      await rejectsWith(StatusCode.unimplemented, link.unary("/troupe.v1.Other/Echo", message(1)));
    },
  },
  {
    promise: "a deadline ends the call for the caller and aborts it at the service",
    async tryIt(lab) {
      const service = new HangingService();
      const { link } = await lab.connect({ unary: service.unary });
      // Both ends watch the deadline. Under load the status of the service may be the first one.
      await rejectsWith(StatusCode.deadlineExceeded, link.unary("Echo", message(1), { timeoutMs: 30 }));
      ok((await service.aborted) instanceof RpcError);
    },
  },
  {
    promise: "an aborted signal cancels the call at both ends",
    async tryIt(lab) {
      const service = new HangingService();
      const { link } = await lab.connect({ unary: service.unary });
      const controller = new AbortController();
      const call = link.unary("Echo", message(1), { signal: controller.signal });
      await service.started;
      controller.abort(new Error("enough"));
      const error = await rejectsWith(StatusCode.cancelled, call);
      equal(error.cause, controller.signal.reason);
      await service.aborted;
    },
  },
  {
    promise: "a signal that has already aborted prevents the call",
    async tryIt(lab) {
      const { link } = await lab.connect();
      await rejectsWith(StatusCode.cancelled, link.unary("Echo", message(1), { signal: AbortSignal.abort() }));
    },
  },
  {
    promise: "a request over the server's limit fails only that call",
    async tryIt(lab) {
      const { link } = await lab.connect({}, { maxReceiveMessageBytes: 1000 });
      await rejectsWith(StatusCode.resourceExhausted, link.unary("Echo", message(1001)));
      sameBytes(await link.unary("Echo", message(1000)), message(1000));
    },
  },
  {
    promise: "an answer over the client's limit fails only that call",
    async tryIt(lab) {
      const { link } = await lab.connect({ unary: async () => message(1001) }, { maxReceiveMessageBytes: 1000 });
      await rejectsWith(StatusCode.resourceExhausted, link.unary("Echo", message(1)));
      sameBytes(await (await lab.connect()).link.unary("Echo", message(7)), message(7));
    },
  },
  {
    promise: "a request over the sending limit is refused before it is sent",
    async tryIt(lab) {
      const { link } = await lab.connect({}, { maxSendMessageBytes: 1000 });
      await rejectsWith(StatusCode.resourceExhausted, link.unary("Echo", message(1001)));
      sameBytes(await link.unary("Echo", message(1000)), message(1000));
    },
  },
  {
    promise: "metadata that headers cannot carry is refused",
    async tryIt(lab) {
      const { link } = await lab.connect();
      for (const metadata of [
        { "a b": "x" },
        { name: "Zoë" },
        { name: "two\nlines" },
        { "grpc-timeout": "1S" },
        { ":path": "/" },
      ]) {
        await rejectsWith(StatusCode.invalidArgument, link.unary("Echo", message(1), { metadata }));
      }
    },
  },
];
