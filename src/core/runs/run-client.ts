import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { Clock, MakeId } from "../clock.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import { withCheckedMetadata } from "../delivery/message-metadata.ts";
import { MessageDroppedException, TroupeError } from "../errors.ts";
import { DropMessage, type InterventionChain } from "../intervention.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import { assertAgentId, assertMessage, assertText } from "../validation/assert-arguments.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { isIdempotencyKey } from "../validation/call-options.ts";
import { agentId, fields, messageType, number, signal, text, word } from "../validation/option-kinds.ts";
import { someTime } from "../validation/option-values.ts";
import { AttachedRun, type AttachedRunName, toStatus } from "./attached-run.ts";
import { encodeText } from "./encoded-text.ts";
import type { AttachRunOptions, ListRunsOptions, RunListPage, StartRunOptions } from "./run.ts";
import { ListRuns, StartRun } from "./run-messages.ts";

export interface RunClientParts {
  readonly runtime: AgentRuntime;
  readonly codecs: CodecRegistry;
  readonly interventions: InterventionChain;
  readonly clock: Clock;
  readonly makeId: MakeId;
}

const idKind = {
  expected: "a text of 1 to 256 characters without half of a surrogate pair",
  accepts: isIdempotencyKey,
};

const ownerKind = {
  expected: "a text of at most 256 characters",
  accepts: (value: unknown) => typeof value === "string" && value.length <= 256,
};

const startShape = optionShape<StartRunOptions>({
  id: idKind,
  keepMs: number(someTime),
  timeoutMs: number(someTime),
  owner: ownerKind,
  sender: agentId,
  signal,
  scope: fields,
  metadata: fields,
});
const attachShape = optionShape<AttachRunOptions>({ owner: ownerKind, message: messageType, sender: agentId });
const listShape = optionShape<ListRunsOptions>({
  status: word("working", "completed", "failed", "cancelled"),
  owner: ownerKind,
  after: text,
  limit: number({ from: 1, to: 1_000 }),
  signal,
});

/** Starts, finds and lists runs of agents, wherever they are. */
export class RunClient {
  readonly #parts: RunClientParts;

  constructor(parts: RunClientParts) {
    this.#parts = parts;
  }

  /** Starts a run, and resolves to it. */
  async start(original: unknown, recipient: AgentId, given: StartRunOptions): Promise<AttachedRun> {
    assertMessage(original);
    assertAgentId(recipient, "recipient");
    assertOptions(given, startShape, "startRun");
    const { runtime, codecs } = this.#parts;
    const {
      id = this.#parts.makeId(),
      keepMs,
      timeoutMs,
      owner = "",
      sender,
      signal: ends,
      scope,
      metadata,
    } = withCheckedMetadata(given);
    const message = await this.#intervened(original, recipient, given, id);
    const encoded = encodeText(codecs, message);
    const start = StartRun({
      ...{ run_id: id, message_type: encoded.typeName, content_type: encoded.contentType, message: encoded.text },
      ...{ keep_ms: wholeOf(keepMs), timeout_ms: wholeOf(timeoutMs), owner },
    });
    await runtime.sendMessage(start, recipient, { sender, signal: ends, scope, metadata });
    return this.#run({ agentId: recipient, id, owner, sender, message: codecs.typeOf(message), isKnown: true });
  }

  attach(recipient: AgentId, id: string, options: AttachRunOptions): AttachedRun {
    assertAgentId(recipient, "recipient");
    assertText(id, "The id of a run");
    assertOptions(options, attachShape, "attachRun");
    if (!isIdempotencyKey(id)) throw new TroupeError("invalid-argument", `The id of a run must be ${idKind.expected}.`);
    const { owner = "", sender, message } = options;
    return this.#run({ agentId: recipient, id, owner, sender, message, isKnown: false });
  }

  async list(recipient: AgentId, options: ListRunsOptions): Promise<RunListPage> {
    assertAgentId(recipient, "recipient");
    assertOptions(options, listShape, "listRuns");
    const { status = "", owner = "", after = "", limit = 100 } = options;
    const ask = ListRuns({ status, owner, after, limit: Math.floor(limit) });
    const page = await this.#parts.runtime.sendMessage(ask, recipient, { signal: options.signal });
    return { runs: page.runs.map(toStatus), ...(page.after !== "" && { after: page.after }) };
  }

  #run(name: AttachedRunName): AttachedRun {
    const { runtime, codecs, interventions, clock } = this.#parts;
    return new AttachedRun({ runtime, codecs, interventions, clock, ...name });
  }

  /** Interventions see the message itself, and not the one that carries it. */
  async #intervened(
    message: unknown,
    recipient: AgentId,
    options: StartRunOptions,
    messageId: string,
  ): Promise<unknown> {
    const { interventions } = this.#parts;
    if (!interventions.seesSend) return message;
    const { sender, metadata } = options;
    const messageContext = new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId, metadata });
    const decided = await interventions.onSend(message, { messageContext, recipient });
    if (decided === DropMessage) throw new MessageDroppedException();
    return decided;
  }
}

/** Returns a number of milliseconds for the wire. 0 stands for the default. */
function wholeOf(ms: number | undefined): number {
  return ms === undefined || !Number.isFinite(ms) ? 0 : Math.ceil(ms);
}
