import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type Clock, errorText, type Logger, TroupeError } from "../core/internal.ts";

export interface FollowedFileParts<Value> {
  readonly file: string;
  /** The content of the file, for errors: "the tokens". */
  readonly what: string;
  readonly parse: (text: string) => Value;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

/** Milliseconds between two looks at a file. */
const lookEveryMs = 1_000;
const longestFile = 4 * 1024 * 1024;

/**
 * A file whose content is read again when it has changed. It looks when it is asked, once a second at most, so that it needs no timer and
 * no end. A look works on every file system, also where links are replaced. Content that can't be used changes nothing, since the
 * file may be half written; the log says why.
 */
export class FollowedFile<Value> {
  readonly #parts: FollowedFileParts<Value>;
  #value: Value;
  #seen: string;
  #lookAtMs: number;

  /** Throws `invalid-argument` if the file can't be read or used. */
  constructor(parts: FollowedFileParts<Value>) {
    this.#parts = parts;
    this.#lookAtMs = parts.clock.now() + lookEveryMs;
    this.#seen = this.#look();
    this.#value = this.#read();
  }

  get value(): Value {
    const now = this.#parts.clock.now();
    if (now < this.#lookAtMs) return this.#value;
    this.#lookAtMs = now + lookEveryMs;
    const seen = this.#look();
    if (seen === this.#seen) return this.#value;
    this.#seen = seen;
    const { what, file, logger } = this.#parts;
    try {
      this.#value = this.#read();
      logger?.info(`${what} are read again: their file has changed`, { file });
    } catch (error) {
      logger?.error(`${what} can't be read again; those before stay`, { error: errorText(error) });
    }
    return this.#value;
  }

  #read(): Value {
    const { file, what, parse } = this.#parts;
    try {
      return parse(readText(file));
    } catch (cause) {
      throw new TroupeError("invalid-argument", `${what} of ${file} can't be used: ${errorText(cause)}`, { cause });
    }
  }

  /** Returns a text that differs when the file has changed. */
  #look(): string {
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(this.#parts.file, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch (error) {
      return errorText(error);
    }
  }
}

function readText(file: string): string {
  // Without `O_NONBLOCK` a pipe that no program writes to would stop the process here.
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile())
      throw new Error(
        "It is not a file but a pipe, a device or a folder. Write the content to a file: it is read again.",
      );
    const { size } = stat;
    if (size > longestFile) throw new Error(`It has ${size} bytes; ${longestFile} is the most.`);
    const bytes = Buffer.alloc(size);
    let length = 0;
    for (let read = -1; read !== 0 && length < size; length += read)
      read = readSync(handle, bytes, length, size - length, null);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(handle);
  }
}
