import { describe, expect, test } from "vitest";
import type { SendOptions } from "../../../../src/core/index.ts";
import { HandlerContext, noMetadata, receivedMetadata, withCheckedMetadata } from "../../../../src/core/internal.ts";

describe("metadata that a peer sent", () => {
  test("is shown without what AutoGen, Troupe, gRPC, CloudEvents and tracing put there", () => {
    const sent = {
      agtimeoutms: "5",
      agmsgkind: "publish",
      "grpc-x": "1",
      traceparent: "00",
      tracestate: "a=b",
      "client-id": "c",
      datacontenttype: "application/json",
      subject: "s",
      tenant: "acme",
    };
    expect({ ...receivedMetadata(sent) }).toEqual({ tenant: "acme" });
  });

  test("is shown without names that could not be sent on, so that all of it can be", () => {
    const shown = receivedMetadata({ Tenant: "x", "": "x", "user name": "x", ["y".repeat(65)]: "x", user: "ada" });
    expect({ ...shown }).toEqual({ user: "ada" });
    expect({ ...withCheckedMetadata({ metadata: shown }).metadata }).toEqual({ user: "ada" });
  });

  test("is shown as far as the bounds allow", () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`n${at}`, ""]));
    expect(Object.keys(receivedMetadata(many)).length).toBe(64);
    const long = { first: "x".repeat(20_000), second: "y".repeat(16_000), third: "z".repeat(1_000), last: "!" };
    expect(Object.keys(receivedMetadata(long))).toEqual(["second", "last"]);
  });

  test("is one shared empty object when nothing of it is for handlers", () => {
    expect(receivedMetadata({})).toBe(noMetadata);
    expect(receivedMetadata({ agtimeoutms: "5" })).toBe(noMetadata);
    expect(Object.isFrozen(noMetadata)).toBe(true);
  });

  test("is looked at when a handler asks for it, once", () => {
    let reads = 0;
    const sentMetadata = {
      get tenant() {
        reads += 1;
        return "acme";
      },
    };
    const details = { sender: undefined, topicId: undefined, isRpc: true, messageId: "m", sentMetadata };
    const context = new HandlerContext(details);
    expect(reads).toBe(0);
    expect(context.metadata).toBe(context.metadata);
    expect([context.metadata.tenant, reads]).toEqual(["acme", 1]);
  });
});

describe("metadata that is to be sent", () => {
  test("costs nothing where there is none", () => {
    const options: SendOptions = { timeoutMs: 5 };
    expect(withCheckedMetadata(options)).toBe(options);
  });

  test("counts names and values in bytes of UTF-8", () => {
    const room = 16 * 1024 - "text".length;
    for (const [character, bytes] of [
      ["x", 1],
      ["é", 2],
      ["€", 3],
      ["🎭", 4],
    ] as const) {
      const filling = character.repeat(Math.floor(room / bytes)) + "x".repeat(room % bytes);
      expect(withCheckedMetadata({ metadata: { text: filling } }).metadata?.text).toBe(filling);
      expect(() => withCheckedMetadata({ metadata: { text: `${filling}x` } })).toThrow("too large at text");
    }
  });

  test("leaves out what is undefined", () => {
    const metadata = { tenant: "acme" };
    Reflect.set(metadata, "user", undefined);
    expect({ ...withCheckedMetadata({ metadata }).metadata }).toEqual({ tenant: "acme" });
  });

  test("names a bad entry in an error that can be logged", () => {
    const metadata = { ["\u001b[31m".repeat(1_000)]: "x" };
    expect(() => withCheckedMetadata({ metadata })).toThrow(
      /^"(\\u001b\[31m)+…" is not a name for metadata\. A name is/,
    );
  });
});
