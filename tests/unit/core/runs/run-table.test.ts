import { expect, it } from "vitest";
import { AgentId } from "../../../../src/core/index.ts";
import type { RunLog } from "../../../../src/core/runs/run-log.ts";
import { RunTable } from "../../../../src/core/runs/run-table.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

const mib = 1024 * 1024;
const bounds = { maxRunning: 1_000, maxBytesPerRun: 8 * mib, maxBytes: 16 * mib, keepMs: 60_000 };

function textOf(bytes: number) {
  return { typeName: "Line", contentType: "application/json", text: "x".repeat(bytes / 2) };
}

function start(account: string, id: string, messageBytes = 100) {
  const agentId = new AgentId("poet", account);
  const message = textOf(messageBytes);
  return { agentId, id, message, account, principal: undefined, owner: "", keepMs: bounds.keepMs, nowMs: 0 };
}

it("drops chunks of others where one caller's runs have long messages alone, so that the bound in bytes holds", () => {
  const table = new RunTable(new ManualClock(), bounds);
  for (let run = 0; run < 7; run += 1) table.add(start("long messages", `${run}`, mib));
  const logs: RunLog[] = [];
  for (let caller = 0; caller < 20; caller += 1) logs.push(table.add(start(`caller ${caller}`, "one")));
  for (let round = 0; round < 4; round += 1) for (const log of logs) table.append(log, textOf(mib));
  const chunkBytes = logs.reduce((sum, log) => sum + log.chunkBytes, 0);
  expect(chunkBytes).toBeGreaterThan(0);
  expect(chunkBytes).toBeLessThan(9 * mib);
});
