import { describe, expect, it } from "vitest";
import { openNatsStore } from "../../../src/nats/index.ts";
import { readServers } from "../../../src/nats/nats-options.ts";

describe("addresses of NATS servers", () => {
  it("are read from a list in one text, whose first scheme counts for all", () => {
    expect(readServers("nats://n1,n2:4223,[::1]:4224")).toMatchObject({
      addresses: ["n1:4222", "n2:4223", "[::1]:4224"],
      usesTls: false,
    });
    expect(readServers("tls://n1, n2").usesTls).toBe(true);
    expect(readServers(["nats://n1", "n2"]).addresses).toEqual(["n1:4222", "n2:4222"]);
  });

  it("may have a login, percent-encoded", () => {
    expect(readServers("nats://a%40b:c%3Ad@n1,n2")).toMatchObject({ user: "a@b", password: "c:d", token: undefined });
    expect(readServers("nats://t0ken@n1")).toMatchObject({ user: undefined, token: "t0ken" });
  });

  it.each(["", ",", "http://n1", "nats://", "nats://n1:0", "nats://n1:65536", "nats://n 1", "nats://n1/path"])(
    "are refused with what is accepted: %j",
    (given) => {
      expect(() => readServers(given)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    },
  );

  it("are refused without repeating a password", () => {
    expect(() => readServers("nats://user:s3cret@bad host")).toThrow(/^(?!.*s3cret).*HOST:PORT/);
    expect(() => readServers("nats://user:%E0%A4%A@n1")).toThrow(/^(?!.*E0).*percent-encoded/);
  });
});

describe("options of openNatsStore", () => {
  it.each([
    { clusterName: "Shop" },
    { clusterName: "x".repeat(33) },
    { replicas: 2 },
    { tls: { caFile: 1 } },
    { name: "x" },
  ])("are checked: %j", async (options) => {
    const opening = openNatsStore("nats://127.0.0.1:1", options as object);
    await expect(opening).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("take one login", async () => {
    const opening = openNatsStore("nats://token@127.0.0.1:1", { user: "troupe" });
    await expect(opening).rejects.toMatchObject({ code: "invalid-argument", message: /one login/ });
  });
});
