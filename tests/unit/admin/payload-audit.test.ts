import { expect, onTestFinished, test } from "vitest";
import { PayloadAudit } from "../../../src/admin/payload-audit.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

function rig() {
  const [logger, clock] = [new RecordingLogger(), new ManualClock()];
  const audit = new PayloadAudit(logger, clock);
  onTestFinished(() => audit.close());
  const lines = () => logger.lines.map(({ fields = {} }) => `${fields.principal} ${fields.what} ${fields.count}`);
  return { audit, clock, lines };
}

test("a principal that reads contents has a line at once, and then one a second with how many", () => {
  const { audit, clock, lines } = rig();
  const eve = { principal: { name: "eve", roles: [] } };
  for (let count = 0; count < 1_000; count += 1) audit.note(eve, "states");
  audit.note(eve, "messages", 7);
  audit.note({ principal: { name: "bob", roles: [] } }, "states");
  audit.note({ principal: undefined }, "states");
  audit.note(eve, "messages", 0);
  expect(lines()).toEqual(["eve states 1", "eve messages 7", "bob states 1"]);
  clock.advance(1_000);
  expect(lines().slice(3)).toEqual(["eve states 999"]);
  audit.note(eve, "states");
  clock.advance(999);
  expect(lines()).toHaveLength(4);
  clock.advance(1);
  expect(lines().slice(4)).toEqual(["eve states 1"]);
});

test("what a principal has read is said at the end of the entry, too", () => {
  const { audit, lines } = rig();
  const eve = { principal: { name: "eve", roles: [] } };
  audit.note(eve, "dead letters");
  audit.note(eve, "dead letters");
  audit.close();
  expect(lines()).toEqual(["eve dead letters 1", "eve dead letters 1"]);
});
