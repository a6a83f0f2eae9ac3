import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { AdminRig } from "./admin-rig.ts";

test("long states that come at once are all checked and stored, and one that is not JSON is refused alone", async () => {
  await using rig = await AdminRig.open();
  const body = (key: number) => Buffer.from(JSON.stringify({ key, text: "x".repeat(1024 * 1024) }));
  const put = (key: number, given: Buffer) =>
    rig.client.ask("PUT", "/v1/state", { type: "long", key: String(key) }, { body: given });
  const wrong = put(99, Buffer.concat([body(99), Buffer.from("]")]));
  const all = Array.from({ length: 6 }, (_, key) => put(key, body(key)));
  await expect(wrong).rejects.toMatchObject({ code: "invalid-argument", message: expect.stringContaining("not JSON") });
  await Promise.all(all);
  const { records } = await rig.store.list({ type: "long" });
  expect(records.map(({ agent, bytes }) => [agent.key, bytes])).toEqual(
    Array.from({ length: 6 }, (_, key) => [String(key), body(key).length]),
  );
});
