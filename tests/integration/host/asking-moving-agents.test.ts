import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import type { ControlBody } from "../../../src/protocol/internal.ts";
import { askLeave, startRooms } from "../../support/leaving-rooms.ts";
import { RawControl } from "../../support/raw-control.ts";

const agentId = { type: "room", key: "k" };
const saveRequest: ControlBody = { kind: "save-request", agentId };
const to = { destination: "agentid=room/k", respondTo: "clientid=C" };

const tooMuch = "overloaded: Too much waits for room/k, which moves to another worker. Try again later.";

/** Rooms whose workers and caller have control channels. */
async function startAsking() {
  const world = await startRooms();
  const { rig, holder, other } = world;
  const [ofHolder, ofOther] = await Promise.all(
    [holder, other].map(({ clientId }) => RawControl.open(rig.dial(), clientId ?? "")),
  );
  const asker = await RawControl.open(rig.dial(), "C");
  if (ofHolder === undefined || ofOther === undefined) throw new Error("there are two workers");
  return { ...world, ofHolder, ofOther, asker };
}

describe("a control request about an agent that leaves its worker, at the host", () => {
  it("waits, and goes to the next worker under the new epoch [L16]", async () => {
    await using world = await startAsking();
    const { rig, holder, agent, first, ofHolder, ofOther, asker } = world;
    holder.respond(first.requestId, "done");
    await askLeave(holder, agent, "asked");
    asker.send({ rpcId: "1", ...to, body: saveRequest });
    expect(await asker.settled()).toEqual([]);
    expect(await ofHolder.settled()).toEqual([]);
    expect(rig.host.counters().heldMessages).toBe(1);
    holder.send({ kind: "left", agents: [agent] });
    await holder.settled();
    const passed = [...(await ofHolder.settled()), ...(await ofOther.settled())];
    expect(passed).toMatchObject([{ rpcId: "1", body: saveRequest }]);
    expect(passed[0]?.epoch?.number).toBeGreaterThan(agent.epoch.number);
    expect(rig.host.counters()).toMatchObject({ heldMessages: 0, claims: 1 });
  });

  it("is held no more when its asker has gone", async () => {
    await using world = await startAsking();
    const { rig, holder, agent, asker } = world;
    await askLeave(holder, agent, "asked");
    asker.send({ rpcId: "1", ...to, body: saveRequest });
    await asker.settled();
    expect(rig.host.counters().heldMessages).toBe(1);
    asker.stream.end();
    await asker.ended;
    expect(rig.host.counters().heldMessages).toBe(0);
  });

  it("is refused where too much waits for the agent", async () => {
    await using world = await startAsking();
    const { holder, agent, asker } = world;
    await askLeave(holder, agent, "asked");
    for (let sent = 0; sent <= limits.heldPerAgent; sent += 1)
      asker.send({ rpcId: `${sent}`, ...to, body: saveRequest });
    const refused = await asker.settled();
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.body).toMatchObject({
      kind: "save-response",
      error: tooMuch,
    });
  });

  it("is refused where too many bytes wait for the agent, of which one address has its share", async () => {
    await using world = await startAsking();
    const { rig, holder, agent, asker } = world;
    await askLeave(holder, agent, "asked");
    const state = "s".repeat(limits.heldBytesPerAgent / 4);
    for (const rpcId of ["1", "2", "3", "4"])
      asker.send({ rpcId, ...to, body: { kind: "load-request", agentId, state } });
    expect(await asker.settled()).toMatchObject([{ rpcId: "4", body: { kind: "load-response", error: tooMuch } }]);
    expect(rig.host.counters()).toMatchObject({ heldMessages: 3, refusedByLimit: 1 });
  });

  it("with a state to load comes whole to the next worker", async () => {
    await using world = await startAsking();
    const { holder, agent, first, ofHolder, ofOther, asker } = world;
    holder.respond(first.requestId, "done");
    await askLeave(holder, agent, "asked");
    const body = { kind: "load-request", agentId, state: "s".repeat(1_000) } as const;
    asker.send({ rpcId: "1", ...to, body });
    await asker.settled();
    holder.send({ kind: "left", agents: [agent] });
    await holder.settled();
    expect([...(await ofHolder.settled()), ...(await ofOther.settled())]).toMatchObject([{ rpcId: "1", body }]);
  });
});
