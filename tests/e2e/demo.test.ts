import { beforeAll, describe, expect, test } from "vitest";
import { type EndedProgram, NodeProgram } from "../support/node-program.ts";

describe("the demo", { timeout: 60_000 }, () => {
  let ended: EndedProgram;

  beforeAll(async () => {
    await using program = new NodeProgram("examples/demo/main.ts", [], { env: { TROUPE_PYTHON: "no-such-python" } });
    ended = await program.ended;
  }, 60_000);

  test("stops everything and ends with 0", () => {
    expect({ code: ended.code, stderr: ended.stderr }, ended.stdout).toEqual({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(/exit codes: north 0, south 0, host 0/);
  });

  test("shows a call and its answer", () => {
    expect(ended.stdout).toMatch(/poet_north\/1 answers: "O multiple processes, from north/);
  });

  test("shows an event that reaches agents on both workers", () => {
    expect(ended.stdout).toMatch(/heard by (north, south|south, north)\n/);
  });

  test("shows state saved on one worker and loaded on another", () => {
    expect(ended.stdout).toMatch(/saved from doorkeeper_north\/main: \{"visitors":2\}/);
    expect(ended.stdout).toMatch(/doorkeeper_south\/main went on counting: 3 visitors/);
  });

  test("shows a state that outlives a killed worker and a killed host", () => {
    expect(ended.stdout).toMatch(/(north|south) had the guestbook and is killed[\s\S]*(north|south) has it now/);
    expect(ended.stdout).toMatch(/the guestbook has Ada, Grace, Barbara, Frances\n/);
  });

  test("shows how a call to a type that nobody serves fails, with its name in the message", () => {
    expect(ended.stdout).toMatch(/UndeliverableException: .*doorkeeper_west/);
  });

  test("says how to get Python where there is none", () => {
    expect(ended.stdout).toMatch(/no Python with AutoGen is here[\s\S]*interop-venvs/);
  });

  test("writes plain lines into a log file: no colours, no cursor movements", () => {
    expect(ended.stdout).not.toContain("\u001b");
    expect(ended.stdout).not.toContain("\r");
  });
});
