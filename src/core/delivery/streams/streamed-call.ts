import type { MessageStreamOptions, SendOptions } from "../../agent-runtime.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import type { Clock } from "../../clock.ts";
import { TimedOutError, TroupeError } from "../../errors.ts";
import { followAbort, unfollowAbort } from "../../follow-abort.ts";
import { DropMessage, type InterventionChain } from "../../intervention.ts";
import { scopeOf } from "../../scope/call-scope.ts";
import { messageTypeText } from "../../serialization/message-index.ts";
import type { MessageType } from "../../serialization/message-type.ts";
import { ChunkReader } from "../../streaming/chunk-reader.ts";
import { defaultWindowBytes } from "../../streaming/stream-window.ts";
import { abortError } from "../calls/call-bounds.ts";
import { IdleLimit } from "./idle-limit.ts";

/** The parts of a runtime that its streams need. */
export interface StreamedCallParts {
  readonly clock: Clock;
  readonly ambient: AmbientContexts | undefined;
  readonly interventions: InterventionChain;
  /** The type of the message, as far as the runtime knows it. */
  readonly type: MessageType | undefined;
  /** Lets the handler send this many bytes of chunks, counted from the beginning of the call. */
  readonly grant: (totalBytes: number) => void;
  /** Sends the call with these options. `reader` takes its chunks. */
  readonly send: (options: SendOptions, reader: ChunkReader) => Promise<unknown>;
}

/** Sends a call and returns the reader's end of its stream. The options are checked. */
export function openStream(recipient: AgentId, options: MessageStreamOptions, parts: StreamedCallParts): ChunkReader {
  const { windowBytes = defaultWindowBytes, idleTimeoutMs, ...sendOptions } = options;
  const { clock, ambient, interventions, type } = parts;
  const outer = options.signal ?? ambient?.handlerSignal();
  const controller = new AbortController();
  // The reader hears at once what ends its stream, and not when the call has heard.
  const endCall = (reason: unknown, error?: TimedOutError): void => {
    controller.abort(reason);
    reader.fail(error ?? abortError(controller.signal), error === undefined);
  };
  const endWithOuter = (): void => {
    if (outer !== undefined) endCall(outer.reason);
  };
  const onIdle = (ms: number): void => {
    const error = new TimedOutError(idleText(reader, recipient, ms));
    endCall(error, error);
  };
  const details = { sender: recipient, recipient: options.sender };
  const reader: ChunkReader = new ChunkReader({
    ...{ windowBytes, grant: parts.grant, whole: type?.whole },
    onMove: idleTimeoutMs === undefined ? undefined : () => idle?.moved(),
    cancel: (reason) => endCall(reason),
    intercept: !interventions.seesChunk
      ? undefined
      : (chunk) => {
          const seen = interventions.onChunk(chunk, details);
          return seen === DropMessage ? undefined : { chunk: seen };
        },
  });
  const idle =
    idleTimeoutMs === undefined ? undefined : new IdleLimit(clock, idleTimeoutMs, () => onIdle(idleTimeoutMs));
  if (outer?.aborted === true) endWithOuter();
  else followAbort(outer, endWithOuter);
  const scope = options.scope ?? (outer === undefined ? undefined : scopeOf(outer));
  const release = (): void => {
    unfollowAbort(outer, endWithOuter);
    idle?.end();
  };
  parts.send({ ...sendOptions, signal: controller.signal, scope }, reader).then(
    (answer) => {
      release();
      reader.end(answer);
    },
    (error: unknown) => {
      release();
      reader.fail(explained(error, reader, recipient), false);
    },
  );
  return reader;
}

/** Throws `unexpected-answer` for a chunk that is not of the type that the call promises. A call may promise none. */
export function assertChunk(chunk: unknown, promised: MessageType | undefined, sender: AgentId): void {
  if (promised === undefined || promised.is(chunk)) return;
  const text = `${sender} sent a chunk of type ${messageTypeText(chunk)} where ${promised.typeName} was promised.`;
  throw new TroupeError("unexpected-answer", `${text} Yield that type, or name the type that is yielded as the chunk.`);
}

/** A call that ran out of time while chunks were unread waited for its reader. */
function explained(error: unknown, { isStalled }: ChunkReader, recipient: AgentId): unknown {
  if (!isStalled || !(error instanceof TimedOutError)) return error;
  return new TimedOutError(`${error.message} ${unreadText(recipient)}`, { cause: error });
}

function idleText({ isStalled }: ChunkReader, recipient: AgentId, ms: number): string {
  if (isStalled) return `The stream of ${recipient} stood still for ${ms} ms (idleTimeoutMs). ${unreadText(recipient)}`;
  const advice = "Give the stream a larger idleTimeoutMs if its handler needs longer.";
  return `No chunk and no answer from ${recipient} for ${ms} ms (idleTimeoutMs). ${advice}`;
}

function unreadText(recipient: AgentId): string {
  return `The chunks of ${recipient} are not read: read them in a loop, or call whole().`;
}
