import { expect, test } from "vitest";
import { AgentId } from "../../../../src/core/index.ts";
import type { LeavingNotice } from "../../../../src/protocol/internal.ts";
import { Claim } from "../../../../src/worker/claims/claim.ts";
import { ClaimNotices } from "../../../../src/worker/claims/claim-notices.ts";
import type { Outbox } from "../../../../src/worker/connection/outbox.ts";

/** Notices with their channels. `said`: what has left, in short, with the channel. */
function openNotices() {
  const said: string[] = [];
  const say = (channel: string, notice: LeavingNotice): boolean => {
    const agents = "agents" in notice ? notice.agents : [];
    said.push(`${channel}: ${notice.kind} ${agents.map(({ key }) => key).join(",")}`);
    return true;
  };
  const notices = new ClaimNotices((notice) => say("present", notice));
  // Of an outbox the notices use this method alone.
  const channel = (name: string) => ({ sayClaims: (notice: LeavingNotice) => say(name, notice) }) as unknown as Outbox;
  return { notices, said, channel };
}

function claimOf(key: string): Claim {
  return new Claim(new AgentId("room", key), { generation: 1, era: 1, number: 1 });
}

test("a worker says on each channel what became of its agents in the order in which that came to be", () => {
  const { notices, said, channel } = openNotices();
  const [older, newer] = [channel("older"), channel("newer")];
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(claimOf) as [Claim, Claim, Claim, Claim, Claim];
  notices.left(a, older);
  notices.stay(b, older);
  // Another channel does not part what is said on this one.
  notices.left(e, newer);
  notices.stay(c, older);
  notices.left(d, older);
  notices.flush();
  expect(said).toEqual(["older: left a", "older: stay b,c", "newer: left e", "older: left d"]);
});

test("a worker that asks for an agent after it has given that back under an older epoch says so in this order", () => {
  const { notices, said, channel } = openNotices();
  const present = channel("same");
  const [first, second] = [claimOf("a"), claimOf("a")];
  first.asked = second.asked = "idle";
  notices.ask(first);
  notices.left(first, present);
  notices.ask(second);
  notices.flush();
  expect(said).toEqual(["present: ask-leave a", "same: left a", "present: ask-leave a"]);
});
