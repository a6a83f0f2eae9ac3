import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  decodeStatusMessage,
  encodeStatusMessage,
  endFromReset,
  fromTrailers,
  statusFromHttp,
  toTrailers,
} from "../../../../../src/transport/grpc/framing/call-status.ts";
import { inflaterFor } from "../../../../../src/transport/grpc/framing/compression.ts";
import { formatTimeout, isGrpcContentType, parseTimeout } from "../../../../../src/transport/grpc/framing/headers.ts";
import { StatusCode } from "../../../../../src/transport/index.ts";
import { fromRawHeaders } from "../../../../../src/transport/metadata.ts";

describe("received metadata", () => {
  it("keeps the last value of a repeated key, as both reference implementations do", () => {
    const metadata = fromRawHeaders(["client-id", "a", "x", "1", "client-id", "b, c"]);
    expect({ ...metadata }).toEqual({ "client-id": "b, c", x: "1" });
  });

  it("omits the headers of HTTP/2 and gRPC, but keeps the user-agent", () => {
    const raw = [
      ":path",
      "/x",
      "te",
      "trailers",
      "content-type",
      "application/grpc",
      "grpc-timeout",
      "1S",
      "user-agent",
      "grpc-dotnet/2",
    ];
    expect({ ...fromRawHeaders(raw) }).toEqual({ "user-agent": "grpc-dotnet/2" });
  });

  it("takes the last of binary values that came joined", () => {
    expect(fromRawHeaders(["k-bin", "AAE=,AgM="])["k-bin"]).toBe("AgM=");
  });

  it("does not contain the properties of Object.prototype", () => {
    expect(fromRawHeaders([]).constructor).toBeUndefined();
  });
});

describe("the grpc-timeout header", () => {
  it("is written in milliseconds while they fit", () => {
    expect([0, 1, 1.2, 99_999_999, 100_000_000, -5].map(formatTimeout)).toEqual([
      "0m",
      "1m",
      "2m",
      "99999999m",
      "100000S",
      "0m",
    ]);
  });

  it("is read in every unit, and refused when malformed", () => {
    expect(["1H", "2M", "3S", "4m", "5000u", "6000000n"].map(parseTimeout)).toEqual([
      3_600_000, 120_000, 3000, 4, 5, 6,
    ]);
    for (const bad of ["", "5", "S", "123456789m", "-1S", "1.5S", "1s"]) expect(parseTimeout(bad), bad).toBeUndefined();
  });
});

describe("status trailers", () => {
  it("percent-encode all but printable ASCII", () => {
    expect(encodeStatusMessage("50% é\n")).toBe("50%25 %C3%A9%0A");
    expect(decodeStatusMessage("50%25 %C3%A9%0A")).toBe("50% é\n");
  });

  it("leave broken percent-encoding as it is", () => {
    expect(decodeStatusMessage("100%, really %zz")).toBe("100%, really %zz");
  });

  it("cut a long text, never inside a character", () => {
    const encoded = encodeStatusMessage("é".repeat(5000));
    expect(encoded.length).toBeLessThanOrEqual(4096);
    expect(decodeStatusMessage(encoded)).toMatch(/^é+$/);
  });

  it("read a missing status as none and an unknown code as unknown", () => {
    expect(fromTrailers({})).toBeUndefined();
    expect(fromTrailers({ "grpc-status": "99" })?.code).toBe(StatusCode.unknown);
    expect(fromTrailers({ "grpc-status": "x" })?.code).toBe(StatusCode.unknown);
    expect(fromTrailers(toTrailers({ code: 5, details: "" }))).toEqual({ code: 5, details: "" });
  });
});

describe("compression", () => {
  it("undoes gzip and deflate up to the limit", () => {
    const text = Buffer.from("troupe".repeat(100));
    expect(inflaterFor("gzip")?.(gzipSync(text), 600)).toEqual(text);
    expect(inflaterFor("deflate")?.(deflateSync(text), 600)).toEqual(text);
  });

  it("refuses a bomb, garbage, and a compressed message on a call without an encoding", () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    expect(() => inflaterFor("gzip")?.(bomb, 1000)).toThrow(
      expect.objectContaining({ code: StatusCode.resourceExhausted }),
    );
    expect(() => inflaterFor("gzip")?.(Buffer.from("no"), 1000)).toThrow(
      expect.objectContaining({ code: StatusCode.internal }),
    );
    expect(() => inflaterFor(undefined)?.(bomb, 1000)).toThrow(expect.objectContaining({ code: StatusCode.internal }));
    expect(inflaterFor("snappy")).toBeUndefined();
  });
});

describe("an answer that is not gRPC", () => {
  it("is recognized by its content-type", () => {
    const types = [
      "application/grpc",
      "application/grpc+proto",
      "application/grpc; charset=x",
      "application/grpc-web",
      "text/html",
      undefined,
    ];
    expect(types.map(isGrpcContentType)).toEqual([true, true, true, false, false, false]);
  });

  it("becomes the status that gRPC prescribes", () => {
    expect([400, 401, 403, 404, 429, 503, 200, 500].map((code) => statusFromHttp(code, "text/html").code)).toEqual([
      StatusCode.internal,
      StatusCode.unauthenticated,
      StatusCode.permissionDenied,
      StatusCode.unimplemented,
      StatusCode.unavailable,
      StatusCode.unavailable,
      StatusCode.unknown,
      StatusCode.unknown,
    ]);
  });

  it("a stream reset with CANCEL ends by its peer, any other reset by a status", () => {
    expect(endFromReset(8)).toEqual({ by: "peer" });
    expect([0, 7, 11, 12, 2].map((code) => endFromReset(code))).toMatchObject([
      { status: { code: StatusCode.unknown } },
      { status: { code: StatusCode.unavailable } },
      { status: { code: StatusCode.resourceExhausted } },
      { status: { code: StatusCode.permissionDenied } },
      { status: { code: StatusCode.internal } },
    ]);
  });
});
