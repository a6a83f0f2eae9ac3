import { describe, expect, test } from "vitest";
import {
  agentDestination,
  type ControlBody,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  isControlRequest,
} from "../../../src/protocol/internal.ts";

/** The two envelopes of protocol.md §9. */
const request =
  "0a0137120e6167656e7469643d6563686f2f6b1a0b636c69656e7469643d4331223a0a2b747970652e676f6f676c65617069732e636f6d2f6167656e74732e53617665537461746552657175657374120b0a090a046563686f12016b";
const answer =
  "0a0137120b636c69656e7469643d43311a0022390a2c747970652e676f6f676c65617069732e636f6d2f6167656e74732e536176655374617465526573706f6e736512090a077b226e223a317d";

const agentId = { type: "echo", key: "k" };

describe("control envelopes", () => {
  test("a request has the bytes of the published vector [§8.1]", () => {
    const envelope = {
      rpcId: "7",
      destination: agentDestination(agentId),
      respondTo: clientDestination("C1"),
      body: { kind: "save-request", agentId } as const,
    };
    expect(Buffer.from(encodeControl(envelope)).toString("hex")).toBe(request);
    expect(decodeControl(Buffer.from(request, "hex"))).toEqual(envelope);
  });

  test("the reply to it has the bytes of the published vector [§8.1]", () => {
    const reply = controlReply(decodeControl(Buffer.from(request, "hex")), {
      kind: "save-response",
      state: '{"n":1}',
      error: undefined,
    });
    expect(Buffer.from(encodeControl(reply)).toString("hex")).toBe(answer);
    expect(decodeControl(Buffer.from(answer, "hex"))).toEqual(reply);
    expect(reply.respondTo).toBe("");
  });

  test("a request for metadata and its reply have the bytes that protocol.md §11.8 gives", () => {
    const asked = {
      rpcId: "1",
      destination: "agentid=a/b",
      respondTo: "clientid=c",
      body: { kind: "metadata-request", agentId: { type: "a", key: "b" }, onlyIfServed: true } as const,
    };
    const told = { kind: "metadata-response", type: "a", key: "b", description: "d", error: undefined } as const;
    expect(Buffer.from(encodeControl(asked)).toString("hex")).toBe(
      "0a0131120b6167656e7469643d612f621a0a636c69656e7469643d6322400a32747970652e676f6f676c65617069732e636f6d2f74726f7570652e76312e4167656e744d6574616461746152657175657374120a0a060a01611201621001",
    );
    expect(Buffer.from(encodeControl(controlReply(asked, told))).toString("hex")).toBe(
      "0a0131120a636c69656e7469643d631a0022400a33747970652e676f6f676c65617069732e636f6d2f74726f7570652e76312e4167656e744d65746164617461526573706f6e736512090a01611201621a0164",
    );
  });

  test("the messages of a type have the bytes that protocol.md §11.8 gives", () => {
    const told = { type: "a", key: "", description: "", error: undefined, messages: "[]" } as const;
    const body = { kind: "metadata-response", ...told } as const;
    expect(
      Buffer.from(encodeControl({ rpcId: "1", destination: "clientid=c", respondTo: "", body })).toString("hex"),
    ).toBe(
      "0a0131120a636c69656e7469643d631a00223e0a33747970652e676f6f676c65617069732e636f6d2f74726f7570652e76312e4167656e744d65746164617461526573706f6e736512070a01612a025b5d",
    );
  });

  test("a request to end an activation, and to destroy an agent, has the bytes that protocol.md §11.8 gives", () => {
    const asked = { rpcId: "1", destination: "agentid=a/b", respondTo: "clientid=c" };
    const bytes = (kind: "deactivate-request" | "destroy-request") =>
      Buffer.from(encodeControl({ ...asked, body: { kind, agentId: { type: "a", key: "b" } } })).toString("hex");
    expect(bytes("deactivate-request")).toBe(
      "0a0131120b6167656e7469643d612f621a0a636c69656e7469643d6322400a34747970652e676f6f676c65617069732e636f6d2f74726f7570652e76312e446561637469766174654167656e745265717565737412080a060a0161120162",
    );
    expect(bytes("destroy-request")).toBe(
      "0a0131120b6167656e7469643d612f621a0a636c69656e7469643d63223d0a31747970652e676f6f676c65617069732e636f6d2f74726f7570652e76312e44657374726f794167656e745265717565737412080a060a0161120162",
    );
  });

  test.each<ControlBody>([
    { kind: "save-request", agentId: undefined },
    { kind: "load-request", agentId, state: "{}" },
    { kind: "metadata-request", agentId, onlyIfServed: true },
    { kind: "save-response", state: "", error: "no" },
    { kind: "load-response", error: undefined },
    { kind: "load-response", error: "" },
    { kind: "metadata-response", type: "echo", key: "k", description: "d", error: undefined },
    { kind: "metadata-response", type: "echo", key: "", description: "", error: undefined, messages: "[]" },
    { kind: "deactivate-request", agentId },
    { kind: "deactivate-response", error: undefined },
    { kind: "deactivate-response", error: "no" },
    { kind: "destroy-request", agentId },
    { kind: "destroy-response", error: undefined },
    { kind: "destroy-response", error: "" },
  ])("%o reads as it was written", (body) => {
    const envelope = { rpcId: "", destination: "", respondTo: undefined, body };
    expect(decodeControl(encodeControl(envelope))).toEqual(envelope);
  });

  test("a body of another type, or one that cannot be parsed, differs from a missing body", () => {
    const any = (typeUrl: string, value: string) => {
      const url = Buffer.from(typeUrl);
      const content = Buffer.from(value, "hex");
      const inner = Buffer.from([0x0a, url.length, ...url, 0x12, content.length, ...content]);
      return Buffer.from([0x22, inner.length, ...inner]);
    };
    expect(decodeControl(any("x/agents.Other", "")).body).toEqual({ kind: "unknown", typeUrl: "x/agents.Other" });
    expect(decodeControl(any("x/agents.SaveStateRequest", "ff")).body?.kind).toBe("unknown");
    expect(decodeControl(any("other.prefix/agents.SaveStateRequest", "")).body?.kind).toBe("save-request");
    expect(decodeControl(new Uint8Array(0)).body).toBeUndefined();
    expect(() => decodeControl(new Uint8Array([0xff]))).toThrow(expect.objectContaining({ code: "invalid-message" }));
  });

  test("each kind of request has its own kind of failure", () => {
    const requests = [
      { kind: "save-request", agentId },
      { kind: "load-request", agentId, state: "" },
      { kind: "metadata-request", agentId, onlyIfServed: false },
      { kind: "deactivate-request", agentId },
      { kind: "destroy-request", agentId },
    ] as const;
    for (const body of requests) {
      expect(isControlRequest(body)).toBe(true);
      const failure = controlFailure(body, "no");
      expect(failure).toMatchObject({ kind: body.kind.replace("request", "response"), error: "no" });
      expect(isControlRequest(failure)).toBe(false);
    }
  });
});
