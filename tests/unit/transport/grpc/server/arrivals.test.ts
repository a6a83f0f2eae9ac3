import { once } from "node:events";
import { connect, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { createServer as createPlainServer, Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Arrivals } from "../../../../../src/transport/grpc/server/arrivals.ts";
import { CONNECTION_MS } from "../../../../../src/transport/grpc/turns/costs.ts";
import { FairTurns } from "../../../../../src/transport/grpc/turns/fair-turns.ts";
import type { Lane } from "../../../../../src/transport/grpc/turns/lane.ts";

const opened: { close(): void }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** Servers of one listener, and the lane of each connection that a test opens. */
function setUp() {
  const turns = new FairTurns();
  const arrivals = new Arrivals(turns);
  const open = async (host: string): Promise<{ readonly server: Http2Server; readonly origin: string }> => {
    const server = createServer();
    arrivals.attach(server, () => true);
    server.listen(0, host);
    await once(server, "listening");
    opened.push(server);
    const bound = server.address();
    const port = typeof bound === "object" ? bound?.port : undefined;
    return { server, origin: `http://${host.includes(":") ? `[${host}]` : host}:${port}` };
  };
  const laneFrom = async ({ server, origin }: Awaited<ReturnType<typeof open>>): Promise<Lane> => {
    const arrived = new Promise<Lane>((resolve) => {
      server.once("session", (session: ServerHttp2Session) => resolve(arrivals.arrivalOf(session).lane));
    });
    const client = connect(origin);
    opened.unshift(client);
    return arrived;
  };
  return { turns, open, laneFrom };
}

it("connections of one address take turns as one party, and those of another address as another", async (context) => {
  const { turns, open, laneFrom } = setUp();
  const four = await open("127.0.0.1");
  const six = await open("::1").catch(() => undefined);
  if (six === undefined) return context.skip("needs IPv6");
  const lanes = [await laneFrom(four), await laneFrom(four), await laneFrom(six)];
  expect(new Set(lanes).size).toBe(3);
  expect(lanes.map(({ party }) => party.name)).toEqual(["127.0.0.1", "127.0.0.1", "0:0:0:0::/64"]);
  expect(lanes[0]?.party).toBe(lanes[1]?.party);
  expect(turns.size).toBe(3);
});

it("of a crowd of new connections those beyond a turn wait as new ones, of which one is in line, and cost when they are opened", () => {
  const planned: (() => void)[] = [];
  const turns = new FairTurns({ now: () => 0, later: (act) => planned.push(act) });
  const server = createPlainServer();
  let openedCount = 0;
  server.on("connection", () => {
    openedCount += 1;
  });
  new Arrivals(turns).attach(server, () => true);
  const { party } = turns.join("local socket");
  for (let count = 0; count < 100; count += 1) server.emit("connection", new Socket());
  const atOnce = openedCount;
  expect(atOnce).toBeLessThan(20);
  expect(party.dear.newcomers).toBe(100 - atOnce - 1);
  const usedMs = party.dear.usedMs;
  for (let turn = 0; turn < 200; turn += 1) for (const act of planned.splice(0)) act();
  expect(openedCount).toBeGreaterThan(atOnce);
  expect(party.dear.usedMs - usedMs).toBeGreaterThanOrEqual((openedCount - atOnce) * CONNECTION_MS);
});
