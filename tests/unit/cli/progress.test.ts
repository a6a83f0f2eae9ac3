import { expect, test } from "vitest";
import { whileShown } from "../../../src/cli/progress.ts";

class Target {
  readonly isTTY: boolean;
  text = "";

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

test("a terminal shows a line while a piece of work runs, and not after, also when it fails", async () => {
  const target = new Target(true);
  const shown = whileShown("copies state.db …", async () => target.text, target);
  expect(await shown).toBe("\r\u001b[Kcopies state.db …");
  expect(target.text).toBe("\r\u001b[Kcopies state.db …\r\u001b[K");
  const failed = whileShown("reads", () => Promise.reject(new Error("damaged")), target);
  await expect(failed).rejects.toThrow("damaged");
  expect(target.text.endsWith("\r\u001b[K")).toBe(true);
});

test("a file or a program gets nothing of it", async () => {
  const target = new Target(false);
  expect(await whileShown("copies", async () => 1, target)).toBe(1);
  expect(target.text).toBe("");
});
