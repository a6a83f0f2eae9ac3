import { expect, test } from "vitest";
import { agentsCommand } from "../../../src/cli/commands/agents.ts";

test("an operator who names an agent without a type is told what to write", async () => {
  let said = "";
  const command = agentsCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => (said += text) });
  await expect(command.parseAsync(["/7", "--destroy"], { from: "user" })).rejects.toMatchObject({ exitCode: 1 });
  expect(said).toMatch(/Not an agent: write type\/key/);
});
