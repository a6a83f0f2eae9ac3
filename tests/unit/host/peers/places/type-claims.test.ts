import { describe, expect, it } from "vitest";
import type { TypeGrant } from "../../../../../src/host/peers/cluster-view.ts";
import { TypeClaims } from "../../../../../src/host/peers/places/type-claims.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

const applicant = { agentType: "writer", clientId: "W", isShared: false };

/** The claims of a host, with a cluster that answers when the test says. */
function openClaims() {
  const served = new Set<string>();
  const answers: ((grant: TypeGrant) => void)[] = [];
  const released: string[] = [];
  const lost: string[] = [];
  const clock = new ManualClock();
  const claims = new TypeClaims({
    clock,
    cluster: {
      claimType: () => new Promise((resolve) => void answers.push(resolve)),
      releaseType: (agentType) => void released.push(agentType),
    },
    isServed: ({ agentType }) => served.has(agentType),
    onRefused: ({ clientId }) => void lost.push(clientId),
  });
  const answer = async (grant: TypeGrant): Promise<void> => {
    answers.shift()?.(grant);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, claims, served, answer, released, lost };
}

describe("the types that a cluster has granted a host", () => {
  it("are free again when their client has left before the cluster answered", async () => {
    const { claims, served, answer, released } = openClaims();
    served.add("writer");
    claims.typeOwned(applicant);
    served.delete("writer");
    claims.typeGone("writer");
    expect(released).toEqual([]);
    await answer({ at: "granted" });
    expect(released).toEqual(["writer"]);
    expect(claims.claim(applicant)).toBeInstanceOf(Promise);
  });

  it("are asked for once, and given back once", async () => {
    const { claims, served, answer, released } = openClaims();
    served.add("writer");
    claims.typeOwned(applicant);
    await answer({ at: "granted" });
    expect(claims.claim(applicant)).toBeUndefined();
    claims.typeGone("writer");
    claims.typeGone("writer");
    expect(released).toEqual(["writer"]);
  });

  it("are lost by a client that came back after a worker of another host had taken them", async () => {
    const { claims, served, answer, released, lost } = openClaims();
    served.add("writer");
    claims.typeOwned(applicant);
    await answer({ at: "held", by: "X" });
    expect([lost, released]).toEqual([["W"], []]);
  });

  it("stay with their client while the cluster can't say, and are asked for again until it does", async () => {
    const { clock, claims, served, answer, released, lost } = openClaims();
    served.add("writer");
    claims.typeOwned(applicant);
    await answer({ at: "unavailable", reason: "no answer" });
    expect(lost).toEqual([]);
    clock.advance(1_000);
    await answer({ at: "unavailable", reason: "no answer" });
    clock.advance(1_000);
    await answer({ at: "granted" });
    expect(claims.claim(applicant)).toBeUndefined();
    expect([lost, released]).toEqual([[], []]);
  });
});
