import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { anything, assertOptions, optionShape, quoted, TroupeError, text, word } from "../../core/internal.ts";
import { digestOf, firstDifference, fromLine, toLine } from "./recording.ts";

/** A model of any version of the AI SDK's interface for models. */
export interface RecordableModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
  doGenerate(options: never): PromiseLike<object>;
}

/** Options of `recordedModel`. */
export interface RecordedModelOptions {
  /** Path of the recording: a line of JSON for each call of the model. It has prompts and answers as they are, and no headers. */
  readonly file: string;
  /** `record` asks the model and writes the file anew; `replay` answers from the file. Default: `replay`. */
  readonly mode?: "record" | "replay" | undefined;
}

const shape = optionShape<RecordedModelOptions>({ file: text, mode: word("record", "replay") });
const modelShape = optionShape<{ readonly doStream: unknown; readonly doGenerate: unknown }>({
  doStream: anything,
  doGenerate: anything,
});

/** Bytes of a recording that is read, at most. */
const mostBytes = 64 * 1024 * 1024;

/** A call of a model, as a line of the file has it. */
interface RecordedCall {
  readonly digest: string;
  readonly request: object;
  /** Parts of a stream, or one answer. */
  readonly parts: readonly unknown[];
}

/**
 * Makes a model that records the answers of another one in a file, or answers from such a file. It then needs no key and no network. In `replay` a
 * call gets the recorded answer to an equal request. For another request it fails as `not-found`, and names the first difference. A call
 * that fails, or whose reader leaves, is not recorded.
 *
 * Give each model a file of its own. The file has your prompts and what the model said: look at it before you commit it.
 *
 * @example
 * ```ts
 * const model = recordedModel(openai("gpt-5"), { file: "tests/concierge.jsonl", mode: process.env.CI ? "replay" : "record" });
 * ```
 */
export function recordedModel<Model extends RecordableModel>(model: Model, options: RecordedModelOptions): Model {
  assertModelObject(model);
  assertOptions(options, shape, "recordedModel");
  const { file, mode = "replay" } = options;
  if (typeof file !== "string") throw new TroupeError("invalid-argument", "recordedModel needs the option file.");
  const tape = mode === "record" ? undefined : new Replay(file);
  const recording = new Recording(file);
  const answers = {
    async doStream(request: object) {
      if (tape !== undefined) return { stream: streamOf(await tape.answerTo(request)) };
      // A model is given the options of its own interface, as the AI SDK made them.
      const { stream, ...rest } = await model.doStream(request as never);
      return { ...rest, stream: recorded(stream, (parts) => recording.add(request, parts)) };
    },
    async doGenerate(request: object) {
      // A recorded answer of doGenerate is an object.
      if (tape !== undefined) return (await tape.answerTo(request))[0] as object;
      const answer = await model.doGenerate(request as never);
      const { request: _sent, response: _received, ...said } = { request: undefined, response: undefined, ...answer };
      await recording.add(request, [said]);
      return answer;
    },
  };
  const { specificationVersion, provider, modelId } = model;
  const supportedUrls = "supportedUrls" in model ? model.supportedUrls : {};
  // TypeScript can't see that these members are those of the model's interface.
  return { specificationVersion, provider, modelId, supportedUrls, ...answers } as unknown as Model;
}

function assertModelObject(model: unknown): void {
  const isModel = typeof model === "object" && model !== null;
  if (isModel && [...modelShape.keys()].every((name) => typeof Reflect.get(model, name) === "function")) return;
  throw new TroupeError("invalid-argument", 'recordedModel needs a model that is an object, such as openai("gpt-5").');
}

/** Writes calls to a file, each when its answer is complete. The first one begins the file anew. */
class Recording {
  readonly #file: string;
  #isBegun = false;
  #written: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Resolves when the call is written. */
  add(request: object, parts: readonly unknown[]): Promise<void> {
    const write = this.#isBegun ? appendFile : writeFile;
    this.#isBegun = true;
    const { digest, kept } = digestOf(request);
    const line = toLine({ digest, request: kept, parts });
    const written = this.#written.then(() => write(this.#file, line));
    // The next call is written all the same; this one fails.
    this.#written = written.catch(() => undefined);
    return written;
  }
}

/** The calls of a file. Each is used once, equal ones in their order. */
class Replay {
  readonly #file: string;
  #calls: Promise<RecordedCall[]> | undefined;
  #asked = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async answerTo(request: object): Promise<readonly unknown[]> {
    this.#calls ??= this.#read();
    const calls = await this.#calls;
    this.#asked += 1;
    const { digest, kept } = digestOf(request);
    const at = calls.findIndex((call) => call.digest === digest);
    const [call] = at < 0 ? [] : calls.splice(at, 1);
    if (call !== undefined) return call.parts;
    const [next] = calls;
    const why =
      next === undefined
        ? "all that was recorded is used"
        : `the next recorded request differs at ${firstDifference(next.request, kept)}`;
    throw new TroupeError(
      "not-found",
      `The recording ${quoted(this.#file)} has no answer to call ${this.#asked} of the model: ${why}. Record it again with mode "record".`,
    );
  }

  async #read(): Promise<RecordedCall[]> {
    const { size } = await stat(this.#file).catch((error: unknown) => {
      const problem = `The recording ${quoted(this.#file)} can't be read. Record it with mode "record".`;
      throw new TroupeError("not-found", problem, { cause: error });
    });
    if (size > mostBytes) {
      const problem = `The recording ${quoted(this.#file)} has ${size} bytes; ${mostBytes} are the most. Record less in one file.`;
      throw new TroupeError("invalid-argument", problem);
    }
    const lines = (await readFile(this.#file, "utf8")).split("\n").filter((line) => line !== "");
    return lines.map((line, at) => {
      const call = fromLine(line);
      if (call !== undefined) return call;
      throw new TroupeError("invalid-argument", `Line ${at + 1} of the recording ${quoted(this.#file)} is not a call.`);
    });
  }
}

function streamOf(parts: readonly unknown[]): ReadableStream<unknown> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

function isError(part: unknown): boolean {
  return typeof part === "object" && part !== null && "type" in part && part.type === "error";
}

/** Hands a stream on, and gives its parts to `keep` before it ends, unless the model failed. */
function recorded(stream: ReadableStream<unknown>, keep: (parts: readonly unknown[]) => Promise<void>) {
  const parts: unknown[] = [];
  return stream.pipeThrough(
    new TransformStream({
      transform(part, controller) {
        parts.push(part);
        controller.enqueue(part);
      },
      flush: () => (parts.some(isError) ? undefined : keep(parts)),
    }),
  );
}
