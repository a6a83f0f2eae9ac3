import { expect, test } from "vitest";
import { AgentId } from "../../../../src/core/index.ts";
import { RunLog } from "../../../../src/core/runs/run-log.ts";
import { ReadRun } from "../../../../src/core/runs/run-messages.ts";
import { RunReading } from "../../../../src/core/runs/run-reading.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

const ask = ReadRun({ run_id: "r", from_offset: 0, max_chunks: 10, wait_ms: 20_000, owner: "" });
const text = { typeName: "line", contentType: "application/json", text: "{}" };

function logOf(account: string): RunLog {
  const agentId = new AgentId("poet", account);
  const rest = { principal: undefined, owner: "", keepMs: 1_000, nowMs: 0 };
  return new RunLog({ agentId, id: "r", message: text, account, ...rest });
}

test("the readers of one caller's runs leave half of the places to others, and the places come back", async () => {
  const clock = new ManualClock();
  const reading = new RunReading(clock);
  const [greedy, other] = [logOf("a"), logOf("b")];
  const leaving = new AbortController();
  const page = (log: RunLog) => reading.page(log, ask, leaving.signal);
  const waiting = Array.from({ length: 5_000 }, () => page(greedy));
  await expect(page(greedy)).rejects.toMatchObject({ code: "overloaded", message: expect.stringContaining("5000") });
  const free = page(other);
  other.append(text, 1);
  expect((await free).chunks).toEqual(["{}"]);
  leaving.abort();
  await Promise.all(waiting);
  const again = reading.page(greedy, ask, new AbortController().signal);
  greedy.append(text, 1);
  expect((await again).chunks).toEqual(["{}"]);
  expect(clock.pendingTimers).toBe(0);
});
