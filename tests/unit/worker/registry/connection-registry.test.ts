import { expect, test } from "vitest";
import { TroupeError, UndeliverableException } from "../../../../src/core/internal.ts";
import type { WireSubscription } from "../../../../src/protocol/index.ts";
import { ConnectionRegistry } from "../../../../src/worker/registry/connection-registry.ts";
import type { HostRegistry } from "../../../../src/worker/registry/host-registry.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const subscription: WireSubscription = {
  id: "s",
  pattern: { kind: "type", topicType: "t", agentType: "a" },
};
const lost = new UndeliverableException("The connection is gone.", { code: "disconnected" });
const taken = new TroupeError("already-exists", "Subscription already exists");
const refused = new TroupeError("not-authorized", "No.");

/** A registry whose host answers as the test says, in order; undefined: it accepts. */
function registryWith(answers: (Error | undefined)[]) {
  const asked: string[] = [];
  const ask = async (what: string) => {
    asked.push(what);
    const answer = answers.shift();
    if (answer !== undefined) throw answer;
  };
  const unary: HostRegistry = {
    registerType: () => ask("type"),
    addSubscription: () => ask("add"),
    removeSubscription: () => ask("remove"),
    subscriptions: async () => undefined,
  };
  return { asked, registry: new ConnectionRegistry({ unary, legacy: unary, logger: new RecordingLogger() }) };
}

test("a subscription that the host may have taken before its answer was lost counts as added when the host has it", async () => {
  const { registry } = registryWith([lost, taken]);
  await expect(registry.addSubscription(subscription)).rejects.toBe(lost);
  await registry.addSubscription(subscription);
});

test("a subscription that the host has refused does not count as added when the host has an equal one", async () => {
  const { registry } = registryWith([refused, taken]);
  await expect(registry.addSubscription(subscription)).rejects.toBe(refused);
  await expect(registry.addSubscription(subscription)).rejects.toBe(taken);
});

test("a subscription that the host has taken is not sent again, until it is removed", async () => {
  const { registry, asked } = registryWith([]);
  for (let time = 0; time < 2; time += 1) await registry.addSubscription(subscription);
  await registry.removeSubscription(subscription);
  await registry.addSubscription(subscription);
  expect(asked).toEqual(["add", "remove", "add"]);
});

test("a subscription whose removal may not have reached the host can be added again", async () => {
  const { registry, asked } = registryWith([undefined, lost, taken]);
  await registry.addSubscription(subscription);
  await expect(registry.removeSubscription(subscription)).rejects.toBe(lost);
  await registry.addSubscription(subscription);
  expect(asked).toEqual(["add", "remove", "add"]);
});
