import { expect, test } from "vitest";
import { jsonLogger } from "../../../src/cli/json-logger.ts";
import { TroupeError } from "../../../src/core/index.ts";

function recording(level: "debug" | "info" | "warn" | "error" = "info") {
  const lines: string[] = [];
  const logger = jsonLogger({ level, base: { pid: 7, host: "one" }, write: (line) => void lines.push(line) });
  return { logger, lines, parsed: () => lines.map((line): Record<string, unknown> => JSON.parse(line)) };
}

test("each entry is one line of JSON with level, time, process, fields and text", () => {
  const { logger, lines, parsed } = recording();
  logger.info("a worker joins", { clientId: "W\n\u001b[31m", types: ["a"] });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  expect(lines[0]).not.toContain("\u001b");
  expect(parsed()).toEqual([
    {
      ...{ level: "info", time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), pid: 7, host: "one" },
      ...{ clientId: "W\n\u001b[31m", types: ["a"], msg: "a worker joins" },
    },
  ]);
});

test("entries below the level are not written", () => {
  const { logger, parsed } = recording("warn");
  logger.debug("1");
  logger.info("2");
  logger.warn("3");
  logger.error("4");
  expect(parsed().map(({ level, msg }) => [level, msg])).toEqual([
    ["warn", "3"],
    ["error", "4"],
  ]);
});

test("an error is an object with its code, and a field that can't be JSON stops no line", () => {
  const { logger, parsed } = recording();
  logger.error("it failed", { error: new TroupeError("not-found", "There is none.") });
  const circle: { self?: object } = {};
  circle.self = circle;
  logger.warn("odd", { circle, big: 1n });
  const [failed, odd] = parsed();
  expect(failed?.error).toMatchObject({ code: "not-found", message: "There is none.", stack: expect.any(String) });
  expect(odd).toMatchObject({ msg: "odd" });
});
