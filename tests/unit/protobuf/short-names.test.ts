import { create } from "@bufbuild/protobuf";
import { DurationSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { protobufContentType, UnknownPayload } from "troupe";
import { protobufMessage } from "troupe/protobuf";
import { describe, expect, test } from "vitest";
import { CodecRegistry } from "../../../src/core/internal.ts";

const Text = protobufMessage(StringValueSchema);
const ShortText = protobufMessage(StringValueSchema, { typeName: "StringValue" });
const hi = create(StringValueSchema, { value: "hi" });

describe("a protobuf message under a short name, as AutoGen before 0.4.6 calls it", () => {
  test.each([
    ["its full name", Text],
    ["a short name", ShortText],
  ])("is read under either name when it is declared under %s", (_, declared) => {
    const registry = new CodecRegistry([declared]);
    for (const sent of [Text, ShortText]) {
      expect(registry.decode(sent.typeName, `${protobufContentType}; charset=x`, sent.serialize(hi))).toEqual(hi);
    }
  });

  test("is sent under the name of the declaration that came last", () => {
    expect(new CodecRegistry([Text, ShortText]).encode(hi).typeName).toBe("StringValue");
    expect(new CodecRegistry([ShortText, Text]).encode(hi).typeName).toBe("google.protobuf.StringValue");
    expect(ShortText.is(hi)).toBe(true);
  });

  test("stays unknown when its bytes name a type that was not declared, or none", () => {
    const registry = new CodecRegistry([protobufMessage(DurationSchema)]);
    for (const bytes of [
      Text.serialize(hi),
      Uint8Array.of(),
      Uint8Array.of(0x0a, 0xff, 0xff, 0x7f),
      Uint8Array.of(0x12, 0),
    ]) {
      const read = registry.decode("StringValue", protobufContentType, bytes);
      expect(read).toEqual(new UnknownPayload("StringValue", protobufContentType, bytes));
    }
    expect(registry.decode("StringValue", "application/json", Text.serialize(hi))).toBeInstanceOf(UnknownPayload);
  });
});
