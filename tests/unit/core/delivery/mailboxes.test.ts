import { expect, test } from "vitest";
import { BaseAgent } from "../../../../src/core/index.ts";
import { Mailboxes } from "../../../../src/core/internal.ts";
import { Gate } from "../../../support/gate.ts";

class Silent extends BaseAgent {
  constructor() {
    super("says nothing");
  }

  protected override onMessageImpl(): void {}
}

test("each agent has its turns one after the other, whatever their outcome, and agents do not wait for each other", async () => {
  const mailboxes = new Mailboxes();
  const [a, b] = [new Silent(), new Silent()];
  const gate = new Gate();
  const log: string[] = [];
  const first = mailboxes.inTurn(a, async () => {
    await gate.opened;
    log.push("a1");
    throw new Error("a1 failed");
  });
  const second = mailboxes.inTurn(a, () => log.push("a2"));
  await mailboxes.inTurn(b, () => log.push("b1"));
  gate.open();
  await expect(first).rejects.toThrow("a1 failed");
  await second;
  expect(log).toEqual(["b1", "a1", "a2"]);
});

test("a body that throws rejects its turn only", async () => {
  const mailboxes = new Mailboxes();
  const agent = new Silent();
  const thrown = mailboxes.inTurn(agent, () => {
    throw new Error("no");
  });
  await expect(thrown).rejects.toThrow("no");
  expect(await mailboxes.inTurn(agent, () => "yes")).toBe("yes");
});
