import { expect, test } from "vitest";
import { flawForProtobuf } from "../../../../src/protocol/internal.ts";
import { demo } from "../../../support/dotnet/demo-messages.ts";

const note = demo("demo.Note", "n1");

test.each([
  ["an Any of the type", note, undefined],
  ["an Any with another prefix", { ...note, data: Buffer.from("\n\x0bx/demo.Note", "latin1") }, undefined],
  [
    "an Any with an unknown field behind it",
    { ...note, data: Buffer.concat([note.data, Buffer.of(0x78, 1)]) },
    undefined,
  ],
  ["a content type with parameters", { ...note, contentType: "application/X-protobuf; v=1" }, undefined],
  ["JSON", { ...note, contentType: "application/json" }, "foreign"],
  ["no content type", { ...note, contentType: "" }, "foreign"],
  ["no bytes", { ...note, data: Buffer.of() }, "broken"],
  ["another type", demo("demo.Note", "n1", "demo.Other"), "broken"],
  ["a type that only ends so", demo("Note", "n1", "demo.Note"), "broken"],
  ["a cut Any", { ...note, data: note.data.subarray(0, 10) }, "broken"],
  ["a number where the type should be", { ...note, data: Buffer.of(0x08, 1) }, "broken"],
  ["a group", { ...note, data: Buffer.concat([note.data, Buffer.of(0x1b)]) }, "broken"],
] as const)("a reader of protobuf alone and a payload with %s", (_name, payload, flaw) => {
  expect(flawForProtobuf(payload)).toBe(flaw);
});
