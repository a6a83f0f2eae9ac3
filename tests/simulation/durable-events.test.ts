import { expect, test } from "vitest";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { shrink } from "./shrink.ts";

// `npm run simulate -- --durable` plays as many as you like.
test("whatever breaks, each durable event that is kept is handled once by each persistent agent that subscribes", async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const plan = makePlan(seed, { always: [], tellsByEvents: true });
    const report = await runPlan(plan);
    if (report.breaches.length > 0) expect.fail(failureText(report, await shrink(plan, report)));
  }
}, 120_000);
