import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { LogOutput, type OutputStream, outliveOutput } from "../../../src/cli/lost-output.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** A stream whose writes fail with `code` while that is set, as those of a process do. */
class FullStream extends EventEmitter implements OutputStream {
  code: string | undefined;
  text = "";

  constructor(code?: string) {
    super();
    this.code = code;
  }

  write(line: string, written: (error?: Error | null) => void = () => undefined): boolean {
    const error = this.code && Object.assign(new Error(`write ${this.code}`), { code: this.code });
    if (!error) this.text += line;
    queueMicrotask(() => {
      written(error || null);
      if (error) this.emit("error", error);
    });
    return true;
  }
}

function process(code: string) {
  const exits: (number | undefined)[] = [];
  return { stdout: new FullStream(code), stderr: new FullStream(), exits, exit: (as?: number) => void exits.push(as) };
}

/** Until the callbacks of writes have run. */
const written = () => new Promise((resolve) => setImmediate(resolve));

describe("a command whose output can't be written", () => {
  it("ends in order when its reader has seen enough", async () => {
    const target = process("EPIPE");
    outliveOutput(target, { isHost: false });
    target.stdout.write("a line\n");
    await written();
    expect(target.exits).toEqual([undefined]);
    expect(target.stderr.text).toBe("");
  });

  it("says on a full disk what is wrong, and ends with 1", async () => {
    const target = process("ENOSPC");
    outliveOutput(target, { isHost: false });
    target.stdout.write("a line\n");
    await written();
    expect(target.exits).toEqual([1]);
    expect(target.stderr.text).toBe("error: The output can't be written: write ENOSPC\n");
  });

  it("lives on if it is a host", async () => {
    const target = process("EPIPE");
    target.stderr.code = "EPIPE";
    outliveOutput(target, { isHost: true });
    target.stdout.write("a line\n");
    target.stderr.write("a line\n");
    await written();
    expect(target.exits).toEqual([]);
  });
});

describe("the log of a host", () => {
  it("says how many lines could not be written once it can be written again", async () => {
    const stream = new FullStream("ENOSPC");
    stream.on("error", () => undefined);
    const output = new LogOutput(stream);
    const logger = new RecordingLogger();
    output.logger = logger;
    output.write("one\n");
    output.write("two\n");
    await written();
    expect(logger.lines).toEqual([]);
    stream.code = undefined;
    output.write("three\n");
    output.write("four\n");
    await written();
    // The disk may have taken the beginning of a line before it was full.
    expect(stream.text).toMatch(/^\n+three\n/);
    expect(logger.lines).toEqual([
      { level: "warn", text: "lines of the log could not be written", fields: { count: 2 } },
    ]);
  });
});
