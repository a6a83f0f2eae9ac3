import { expect, test } from "vitest";
import { createMemoryNetwork } from "../../../../src/transport/index.ts";

test("port 0 gives a free port, also when somebody listens on the one that would be next", async () => {
  const network = createMemoryNetwork();
  const first = await network.listen("127.0.0.1:0", []);
  const port = Number(first.address.split(":")[1]);
  await network.listen(`127.0.0.1:${port + 1}`, []);
  const third = await network.listen("127.0.0.1:0", []);
  expect(third.address).toBe(`127.0.0.1:${port + 2}`);
  await expect(network.listen(first.address, [])).rejects.toThrow("is already in use");
});
