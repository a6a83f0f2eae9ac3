import { expect, test } from "vitest";
import { EventPublishing } from "../../../../src/host/operations/event-publishing.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

test("an event over HTTP stays counted until the store has answered, also when others need the space", async () => {
  const gone: string[] = [];
  const accountant = createMemoryAccountant({ maxBytes: 1_000_000, onGaveWay: ({ name }) => gone.push(name) });
  const publishers: Peer[] = [];
  const publishing = new EventPublishing({
    ...{ accountant, access: undefined, quotas: undefined, makeId: () => "1", events: { route: () => 0 } },
    durable: {
      isKept: () => true,
      take: (from) => {
        from.account.add(500_000);
        publishers.push(from);
      },
    },
  });
  const payload = { typeName: "t", contentType: "application/json", data: new Uint8Array(1) };
  const event = { id: "1", topicType: "news", topicSource: "s", payload, attributes: {} };
  const outcome = publishing.publish({ principal: { name: "ann" }, address: "10.0.0.1", party: "10.0.0.1" }, event, {
    isDurable: true,
    idempotencyKey: undefined,
    signal: new AbortController().signal,
  });
  const open = (name: string) => accountant.openAccount({ party: name, name, giveWay: () => undefined });
  open("connection hog").add(400_000);
  open("connection other").add(90_000);
  expect(open("connection newcomer").take(20_000)).toBe(true);
  expect(gone).toEqual(["connection hog"]);
  expect(accountant.heldBytes).toBe(610_000);
  const [publisher] = publishers;
  const answer = { kind: "response", requestId: "1", payload: undefined, error: "", metadata: {} } as const;
  publisher?.send(encodeFrame(answer), "answer");
  expect(await outcome).toEqual({ at: "kept" });
  expect(accountant.heldBytes).toBe(110_000);
});
