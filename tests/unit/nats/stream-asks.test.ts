import { expect, it } from "vitest";
import { StreamAsks } from "../../../src/nats/log/stream-asks.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { fakeNats } from "./fake-connection.ts";

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const headers = { keys: () => ["Nats-Msg-Id"], get: () => "1", set: nothing };

function publishing(answers: readonly object[]) {
  const clock = new ManualClock();
  const left = [...answers];
  const fake = fakeNats({
    answer: () => ({ data: new TextEncoder().encode(JSON.stringify(left.length > 1 ? left.shift() : left[0])) }),
  });
  const client = new NatsClient({ ...fake, inboxPrefix: "_INBOX", clock, log });
  // Only these members of the headers are used.
  const outcome = new StreamAsks(client, clock).publish("mail.7.a", new Uint8Array(3), headers as never);
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  outcome.then(settle, settle);
  return async () => {
    while (!isSettled) {
      clock.advance(200);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return outcome;
  };
}

const inProcess = { error: { code: 409, err_code: 10_158, description: "duplicate message id is in process" } };

it("publishes again while the server has not decided an earlier publication of the same message", async () => {
  const settled = publishing([inProcess, inProcess, { stream: "MAIL", seq: 4, duplicate: true }]);
  expect(await settled()).toEqual({ at: "known", place: 4 });
});

it("does not know of a message that the server never decides", async () => {
  const settled = publishing([inProcess]);
  await expect(settled()).rejects.toMatchObject({ storeCode: "unknown" });
});
