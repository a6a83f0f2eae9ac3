import { encodeFrame, type Frame } from "../../src/protocol/index.ts";
import { anyPrefix } from "../../src/protocol/internal.ts";
import { bytesOf, pythonWire } from "../conformance/support/python-wire.ts";
import { vectors } from "../conformance/support/vectors.ts";

const payload = { typeName: "M", contentType: "application/json", data: new TextEncoder().encode('{"a":"ä"}') };
const any = Uint8Array.from([0x0a, 3, 0x61, 0x2f, 0x62, 0x12, 2, 0x0a, 0]);

/** Frames with everything in them that a Troupe peer writes and the recorded traffic lacks. */
const own: readonly Frame[] = [
  {
    kind: "request",
    requestId: "c-1",
    source: { type: "caller", key: "k" },
    target: { type: "target", key: "ключ" },
    payload,
    metadata: { agtimeoutms: "500", traceparent: "00-1-1-00", "": "", x: "y" },
  },
  { kind: "response", requestId: "h-1", payload, error: "", metadata: { agerrortype: "T", agerrorcode: "dropped" } },
  { kind: "response", requestId: "h-2", payload: undefined, error: "boom", metadata: {} },
  {
    kind: "event",
    event: {
      id: "E",
      topicType: "t",
      topicSource: "s",
      sender: { type: "a", key: "b" },
      payload: { typeName: "b", contentType: "application/x-protobuf", data: any },
      attributes: { traceparent: "00-1-1-00" },
    },
  },
  { kind: "cancel", requestId: "c-1", reason: "timed-out" },
  { kind: "leaving", graceMs: 5_000 },
  { kind: "heartbeat", seq: 300, isAnswer: true, leaseMs: 3_000 },
  { kind: "chunk", requestId: "7", offset: 300, typeName: "T", contentType: "c", data: new Uint8Array([1, 2]) },
  { kind: "credit", requestId: "7", bytes: 98_304 },
  { kind: "register-type", requestId: "1", agentType: "t" },
  { kind: "subscribe", requestId: "1", pattern: { kind: "prefix", topicTypePrefix: "t:", agentType: "a" } },
  { kind: "ack", of: "subscribe", requestId: "1", success: false, error: "no" },
];

/** An event whose attributes are of every kind, which none of the known peers sends (protocol.md §3.1). */
const everyAttribute = bytesOf(
  "1a4a0a01691201732201742a070a016112020801" + // ce_boolean
    "2a070a01621202100a" + // ce_integer
    "2a090a016312042202ff00" + // ce_bytes
    "2a080a016412032a0175" + // ce_uri
    "2a080a01651203320176" + // ce_uri_ref
    "2a090a016612043a020801" + // ce_timestamp
    "3a017b",
);

/** What mutation starts from: the printed vectors, recorded traffic of real Python peers, and our own kinds of frames. */
export const seeds: readonly Uint8Array[] = [
  ...vectors.map(({ hex }) => bytesOf(hex)),
  ...pythonWire.messages.map(({ hex }) => bytesOf(hex)),
  ...own.map(encodeFrame),
  everyAttribute,
  new Uint8Array(0),
];

/** Byte strings that parsers have been known to stumble over. */
export const tokens: readonly Uint8Array[] = [
  "00",
  "ff",
  "80",
  "7f",
  "0b",
  "0c",
  "0a00",
  "1200",
  "1a00",
  "0aff",
  "0affffffff07",
  "0affffffff0f",
  "8a00",
  "8a8000",
  "ffffffffffffffffff01",
  "ffffffffffffffffffff01",
  "8080808000",
  "c23e00",
  "c23e020a00",
  "c23e021200",
  "c080",
  "eda080",
  "f4908080",
  "f0908d88",
  "efbbbf",
  "efbfbd",
  "e282ac",
  "0000000000",
  "0100000000",
  "00ffffffff",
  "0a01610a0162",
  "3200",
  "320b0a095f5f70726f746f5f5f",
  "32120a0b61677469 6d656f75746d7312033130 30".replaceAll(" ", ""),
]
  .map(bytesOf)
  .concat(["__proto__", "constructor", "toString", "agtimeoutms", anyPrefix, "\u0000", "\ud83d\ude00"].map(utf8));

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
