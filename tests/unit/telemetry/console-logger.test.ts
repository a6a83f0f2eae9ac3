import { expect, test } from "vitest";
import { consoleLogger } from "../../../src/telemetry/index.ts";

const now = () => new Date(Date.UTC(2030, 0, 2, 3, 4, 5, 6));

test("a line has the time, the level, the text and the fields", () => {
  const lines: string[] = [];
  const logger = consoleLogger({ write: (line) => lines.push(line), now });
  logger.info("worker joined", { client: "c1", types: ["a", "b"] });
  logger.warn("slow");
  expect(lines).toEqual([
    '2030-01-02T03:04:05.006Z info  worker joined client=c1 types=["a","b"]',
    "2030-01-02T03:04:05.006Z warn  slow",
  ]);
});

test("a value with blanks, quotes or nothing in it is quoted, so that a field ends where it seems to", () => {
  const lines: string[] = [];
  const logger = consoleLogger({ write: (line) => lines.push(line), now });
  logger.info("refused", {
    reason: "taken by W code=0",
    id: "a=b",
    name: 'the "best"',
    empty: "",
    address: "[::1]:50051",
  });
  expect(lines[0]).toContain(
    'refused reason="taken by W code=0" id="a=b" name="the \\"best\\"" empty="" address=[::1]:50051',
  );
});

test("entries below the level are not written", () => {
  const lines: string[] = [];
  const logger = consoleLogger({ level: "error", write: (line) => lines.push(line), now });
  logger.debug("1");
  logger.info("2");
  logger.warn("3");
  logger.error("4", { error: new RangeError("far out") });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("error 4 error=RangeError: far out");
});

test("a field without a JSON form is written as text", () => {
  const lines: string[] = [];
  const ring: { self?: unknown } = {};
  ring.self = ring;
  consoleLogger({ write: (line) => lines.push(line), now }).info("x", { ring, none: undefined });
  expect(lines[0]).toContain("ring=[object Object] none=undefined");
});

test("an error is written with the stacks of its causes", () => {
  const lines: string[] = [];
  const error = new RangeError("far out", { cause: new TypeError("no map") });
  consoleLogger({ write: (line) => lines.push(line), now }).error("lost", { error });
  expect(lines[0]).toMatch(/error=RangeError: far out\n +at [\s\S]*\nCaused by: TypeError: no map\n +at /);
});
