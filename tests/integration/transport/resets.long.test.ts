import { expect, test } from "vitest";
import { NodeProgram } from "../../support/node-program.ts";

test("a call that is given up because another of its connection was reset under load does not end the process", {
  timeout: 60_000,
}, async () => {
  await using program = new NodeProgram("tests/integration/transport/programs/reset-while-writing.ts", ["1500"]);
  expect(await program.ended).toMatchObject({ code: 0, stdout: "rounds 1500\n", stderr: "" });
});
