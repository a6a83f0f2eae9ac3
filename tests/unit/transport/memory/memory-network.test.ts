import { expect, test } from "vitest";
import { createMemoryNetwork, type LinkService, type StreamReceiver } from "../../../../src/transport/index.ts";

test("port 0 gives a free port, also when somebody listens on the one that would be next", async () => {
  const network = createMemoryNetwork();
  const first = await network.listen("127.0.0.1:0", []);
  const port = Number(first.address.split(":")[1]);
  await network.listen(`127.0.0.1:${port + 1}`, []);
  const third = await network.listen("127.0.0.1:0", []);
  expect(third.address).toBe(`127.0.0.1:${port + 2}`);
  await expect(network.listen(first.address, [])).rejects.toThrow("is already in use");
});

test("the option schedule decides when anything arrives", async () => {
  const tasks: (() => void)[] = [];
  const network = createMemoryNetwork({ schedule: (task) => tasks.push(task) });
  const { address } = await network.listen("127.0.0.1:0", []);
  let isReady = false;
  const ready = network
    .dial(address)
    .ready()
    .then(() => {
      isReady = true;
    });
  await new Promise((resolve) => setImmediate(resolve));
  expect([isReady, tasks.length]).toEqual([false, 1]);
  for (const task of tasks.splice(0)) task();
  await ready;
});

const deaf: StreamReceiver = {
  onFrame: () => {},
  onHalfClose: () => {},
  onBadFrame: () => {},
  onDrain: () => {},
  onEnd: () => {},
};

test("a receiver owns the bytes that it gets: what it does to them does not reach the sender's, a Buffer included", async () => {
  const network = createMemoryNetwork();
  const received = new Promise<Uint8Array>((resolve) => {
    const service: LinkService = {
      serviceName: "agents.AgentRpc",
      unaryMethods: new Set(),
      streamMethods: new Set(["OpenChannel"]),
      unary: async () => new Uint8Array(0),
      stream: () => ({ ...deaf, onOpen: () => {}, onFrame: resolve }),
    };
    void network.listen("127.0.0.1:9", [service]);
  });
  const frame = Buffer.from("own");
  network.dial("127.0.0.1:9").openStream("OpenChannel", deaf).send(frame);
  (await received).fill(0);
  expect(frame.toString()).toBe("own");
});
