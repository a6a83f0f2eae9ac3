import { expect, test } from "vitest";
import { formatRule, ruleOf } from "../../../../../src/core/courier/reminders/reminder-rule.ts";
import { AgentId, SingleThreadedAgentRuntime } from "../../../../../src/core/index.ts";
import { type Commit, listReminders } from "../../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../../src/storage/index.ts";
import { handled, Lab } from "../courier-lab.ts";

/** 150 of them have more bytes than two pages of a store. */
const longMessage = new Uint8Array(60_000);
const many = 150;

test("reminders with long messages fire at their time, though a store reads them in several pages", async () => {
  const lab = await Lab.started();
  const fired: string[] = [];
  lab.answer = ({ agent: { key } }) => {
    fired.push(key);
    return handled;
  };
  const beganMs = lab.clock.now();
  for (let key = 0; key < many; key += 1) await lab.remind(`${key}`, "r", 5_000, longMessage);
  await lab.until(() => fired.length === many, 500);
  // The whole store is read again every 30 s.
  expect(lab.clock.now() - beganMs).toBeLessThanOrEqual(10_000);
  expect(new Set(fired).size).toBe(many);
  lab.courier.stop();
});

test("an agent's list of reminders is whole, though their messages are long", async () => {
  const stateStore = new MemoryStateStore();
  const dueMs = Date.now() + 86_400_000;
  const rule = formatRule(ruleOf({ at: new Date(dueMs) }, {}, Date.now(), undefined));
  const agent = { type: "a", key: "k" };
  const changes = Array.from({ length: many }, (_, at) => ({ name: `${at}`, dueMs, rule, message: longMessage }));
  const commit: Commit = {
    ...{ agent, epoch: undefined, expected: { at: "anything" }, write: { at: "keep" }, mail: [], remembered: [] },
    reminders: changes.map((change) => ({ at: "set", ...change })),
  };
  await stateStore.open();
  await stateStore.commit([commit]);
  await using runtime = new SingleThreadedAgentRuntime({ stateStore });
  await runtime.start();
  const listed = await runtime.agentReminders(new AgentId("a", "k"));
  expect(listed.map(({ name }) => name).sort()).toEqual(changes.map(({ name }) => name).sort());
});

test("an agent's list of reminders ends, though a store of a user knows no pages", async () => {
  const stored = { agent: { type: "a", key: "k" }, dueMs: 1, rule: "", message: longMessage, seq: 1, attempts: 0 };
  const unpaged = { reminders: async () => ["r1", "r2"].map((name) => ({ ...stored, name })) };
  const listed = await listReminders(unpaged, stored.agent);
  expect(listed.map(({ name, message }) => [name, message.length])).toEqual([
    ["r1", 0],
    ["r2", 0],
  ]);
});
