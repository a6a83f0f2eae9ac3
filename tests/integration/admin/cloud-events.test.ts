import { CloudEvent, HTTP, type Message } from "cloudevents";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { defineMessage, event, RoutedAgent, TypeSubscription } from "../../../src/core/index.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { quotaRules } from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig } from "./admin-rig.ts";

const token = "rig-token";
const Audit = defineMessage("CloudAudit", z.object({ amount: z.number() }));

interface Answer {
  readonly status: number;
  readonly content: Record<string, unknown>;
  readonly headers: Headers;
}

async function open(options: HostOptions = {}) {
  const rig = await AdminRig.open(options);
  const post = async (
    { headers, body }: Pick<Message, "headers"> & { readonly body: unknown },
    shown = token,
  ): Promise<Answer> => {
    const response = await fetch(`${rig.entry.url}/v1/events`, {
      method: "POST",
      headers: { ...(headers as Record<string, string>), authorization: `Bearer ${shown}` },
      body: body as string,
    });
    return {
      status: response.status,
      content: (await response.json()) as Answer["content"],
      headers: response.headers,
    };
  };
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  await worker.register("clerk");
  await worker.subscribe("s", { kind: "type", topicType: "orders", agentType: "clerk" });
  return { rig, post, link, worker };
}

const order = (more: Record<string, unknown> = {}) =>
  new CloudEvent({ id: "e-1", type: "orders", source: "lisbon", data: { amount: 3 }, ...more });

describe("a CloudEvent of the official client", () => {
  test.each([
    ["binary", HTTP.binary],
    ["structured", HTTP.structured],
  ])("in %s mode goes to the subscribers of its type and source, with its attributes", async (_mode, format) => {
    const { rig, post, link, worker } = await open();
    await using _rig = rig;
    const event = order({ subject: "a b/ü", messagetype: "Order", tenant: "acme" });
    const { status, content } = await post(format(event));
    expect([status, content]).toEqual([200, { id: "e-1", isKept: false, workers: 1 }]);
    const arrived = await worker.nextEvent();
    expect(arrived).toMatchObject({ id: "e-1", topicType: "orders", topicSource: "lisbon" });
    expect(arrived.payload).toMatchObject({
      typeName: "Order",
      contentType: expect.stringMatching(/^application\/json/),
    });
    expect(JSON.parse(new TextDecoder().decode(arrived.payload.data))).toEqual({ amount: 3 });
    expect(arrived.attributes).toMatchObject({ subject: "a b/ü", tenant: "acme" });
    await link.close();
  });

  test("in a batch, in another format, or without what it needs is refused with what to do", async () => {
    const { rig, post, link, worker } = await open();
    await using _rig = rig;
    const structured = (fields: unknown) => ({
      headers: { "content-type": "application/cloudevents+json" },
      body: typeof fields === "string" ? fields : JSON.stringify(fields),
    });
    const whole = { id: "1", type: "orders", source: "s", specversion: "1.0" };
    const wrong: [number, RegExp, { headers: Record<string, string>; body: string }][] = [
      [415, /no batches/, { headers: { "content-type": "application/cloudevents-batch+json" }, body: "[]" }],
      [415, /no other formats/, { headers: { "content-type": "application/cloudevents+avro" }, body: "" }],
      [400, /neither headers ce-/, { headers: {}, body: "{}" }],
      [400, /lacks the attribute id/, structured({ ...whole, id: "" })],
      [
        400,
        /lacks the attribute source/,
        { headers: { "ce-id": "1", "ce-type": "orders", "ce-specversion": "1.0" }, body: "" },
      ],
      [400, /version 0\.3/, structured({ ...whole, specversion: "0.3" })],
      [400, /type of a topic/, structured({ ...whole, type: "no topic type" })],
      [400, /both data and data_base64/, structured({ ...whole, data: 1, data_base64: "AA==" })],
      [400, /not Base64/, structured({ ...whole, data_base64: "!" })],
      [400, /agprincipal is reserved/, structured({ ...whole, agprincipal: "root" })],
      [
        400,
        /agagentsendertype is reserved/,
        structured({ ...whole, agagentsendertype: "clerk", agagentsenderkey: "k" }),
      ],
      [400, /attribute nested/, structured({ ...whole, nested: {} })],
      [400, /lower-case letters/, structured({ ...whole, "UPPER-case": "x" })],
      [400, /topic type "troupe\.x" is reserved/, structured({ ...whole, type: "troupe.x" })],
      [400, /message type "TroupeTick" is reserved/, structured({ ...whole, messagetype: "TroupeTick" })],
      [400, /source has a character/, structured({ ...whole, source: "\ud800" })],
      [400, /subject has a character/, structured({ ...whole, subject: "a\nb" })],
      [
        400,
        /nested too deeply/,
        structured(`${JSON.stringify(whole).slice(0, -1)},"data":${"[".repeat(60_000)}1${"]".repeat(60_000)}}`),
      ],
      [413, /binary mode/, structured({ ...whole, data: "x".repeat(256 * 1024) })],
      [400, /not JSON/, structured("{")],
      [400, /data of the CloudEvent is not JSON/, structured({ ...whole, data_base64: "ew==" })],
    ];
    for (const [status, text, request] of wrong) {
      const answer = await post(request);
      expect([answer.status, answer.content.detail]).toEqual([status, expect.stringMatching(text)]);
    }
    expect((await post(HTTP.binary(order()), "wrong")).status).toBe(401);
    expect(await worker.settled()).toEqual([]);
    await link.close();
  });

  test("that is durable is answered when it is kept, and sent again it is kept once", async () => {
    const { rig, post, link } = await open();
    await using _rig = rig;
    await using worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1" });
    await worker.start();
    const seen = new Inbox<number>();
    class Auditor extends RoutedAgent {
      @event(Audit)
      note({ amount }: { readonly amount: number }): void {
        seen.put(amount);
      }
    }
    await Auditor.register(worker, "auditor", () => new Auditor("an auditor"));
    await worker.addSubscription(new TypeSubscription("audits", "auditor", { durable: true }));
    const audit = (id: string, amount: number) => {
      const attributes = { id, type: "audits", messagetype: "CloudAudit", agdelivery: "durable" };
      return HTTP.structured(order({ ...attributes, data: { amount } }));
    };
    for (const [id, amount] of [
      ["1", 1],
      ["1", 1],
      ["2", 2],
    ] as const)
      expect(await post(audit(id, amount))).toMatchObject({ status: 200, content: { isKept: true, workers: null } });
    // The messages of one agent are handled in their order.
    expect([await seen.take(), await seen.take()]).toEqual([1, 2]);
    await link.close();
  });

  test("that is long is not read by the host: its data arrives as it was sent", async () => {
    const { rig, post, link, worker } = await open();
    await using _rig = rig;
    const body = `[${"{},".repeat(100_000)}`;
    expect((await post({ ...HTTP.binary(order()), body })).status).toBe(200);
    expect((await worker.nextEvent()).payload.data).toHaveLength(body.length);
    await link.close();
  });

  test("has the quota of its address, and is told when to try again", async () => {
    const quotas = quotaRules([{ address: "*", messagesPerSecond: 5 }]);
    const clock = new ManualClock();
    const { rig, post, link } = await open({ quotas, clock });
    await using _rig = rig;
    const answers = await Promise.all(Array.from({ length: 30 }, (_, at) => post(HTTP.binary(order({ id: `${at}` })))));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get("retry-after")).toMatch(/^\d+$/);
    await link.close();
  });
});
