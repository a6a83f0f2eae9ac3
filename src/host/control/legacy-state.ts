import {
  type AgentName,
  type Commit,
  type CommitOutcome,
  type Expected,
  jsonContentType,
  type Logger,
  loggableError,
  type StateRecord,
  StoreError,
} from "../../core/internal.ts";
import type { GetStateAnswer, SaveStateAnswer, StoredData, StoredState, WireAgentId } from "../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import type { HeldStore } from "../held-store.ts";
import { ownRecordPrefix } from "../registry/name-checks.ts";

const mismatchText =
  "The provided ETag does not match the current ETag. The state has been modified by another request.";

// protocol.md §1.7
/** GetState and SaveState of generations 1 and 2 over the host's state store. */
export class LegacyState {
  readonly #held: HeldStore;
  readonly #logger: Logger | undefined;

  readonly #isUsed: boolean;

  /** `isUsed` false: the host keeps no states. */
  constructor(
    held: HeldStore,
    logger: Logger | undefined,
    { isUsed }: { readonly isUsed: boolean } = { isUsed: true },
  ) {
    this.#held = held;
    this.#logger = logger;
    this.#isUsed = isUsed;
  }

  /** Answers an unknown agent with its id alone. */
  async get(agentId: WireAgentId): Promise<GetStateAnswer> {
    this.#assertUsed();
    const record = await this.#load(agentId).catch((error: unknown) => {
      throw this.#failure(error);
    });
    return {
      state: { agentId, eTag: record?.eTag ?? "", data: record && dataOf(record) },
      success: true,
      error: undefined,
    };
  }

  #assertUsed(): void {
    if (this.#isUsed) return;
    const text =
      "This host keeps no states: it belongs to a cluster, and has no state store that takes several writers.";
    throw new RpcError(StatusCode.unimplemented, text);
  }

  /** Forgets a state, and all that belongs to its agent. False: there was none. */
  async delete(agent: WireAgentId): Promise<boolean> {
    let eTag = (await this.#load(agent))?.eTag;
    while (eTag !== undefined) {
      const outcome = await this.#commit(agent, { at: "version", eTag }, { at: "delete" });
      if (outcome.at === "committed") return true;
      // Another writer was quicker.
      eTag = outcome.at === "conflict" ? outcome.eTag : undefined;
    }
    return false;
  }

  /**
   * Saves a state. Generation 1 sends no `client-id` and finds a refusal in the answer; generation 2's answer is empty, so that
   * a refusal is a status.
   */
  async save(state: StoredState, clientId: string | undefined): Promise<SaveStateAnswer> {
    this.#assertUsed();
    const refusal = await this.#save(state).catch((error: unknown) => this.#failure(error));
    if (refusal === undefined) return { success: true, error: undefined };
    if (clientId !== undefined) throw refusal;
    return { success: false, error: refusal.message };
  }

  async #save({ agentId, eTag, data }: StoredState): Promise<RpcError | undefined> {
    if (agentId === undefined) return new RpcError(StatusCode.invalidArgument, "The state names no agent.");
    if (agentId.type.startsWith(ownRecordPrefix)) {
      return new RpcError(StatusCode.invalidArgument, "Records of this type are the host's own, and no agent's.");
    }
    const write = { at: "put", schemaVersion: 0, ...contentOf(data) } as const;
    const first = await this.#commit(agentId, eTag === "" ? { at: "anything" } : { at: "version", eTag }, write);
    // Any eTag is right while nothing is stored.
    const isNew = first.at === "conflict" && first.eTag === undefined;
    const outcome = isNew ? await this.#commit(agentId, { at: "nothing" }, write) : first;
    switch (outcome.at) {
      case "committed":
        return undefined;
      case "conflict":
      case "stale":
        return new RpcError(StatusCode.aborted, mismatchText);
      case "refused":
        return new RpcError(StatusCode.resourceExhausted, `The state store is full: ${outcome.limit}.`);
    }
  }

  async #load(agent: AgentName): Promise<StateRecord | undefined> {
    const record = await this.#held.readable.load(agent);
    return record === "unchanged" ? undefined : record;
  }

  async #commit(agent: AgentName, expected: Expected, write: Commit["write"]): Promise<CommitOutcome> {
    const commit = { agent, epoch: undefined, expected, write, reminders: [], mail: [], remembered: [] };
    const store = await this.#held.open();
    const [outcome] = await store.commit([commit]);
    if (outcome === undefined) throw new StoreError("unavailable", "The state store gave no outcome for a commit.");
    return outcome;
  }

  /** The text of a store's error may name files of this machine, so that only the log gets it. */
  #failure(error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    this.#held.note(error);
    this.#logger?.error("the state store of GetState and SaveState failed", { error: loggableError(error) });
    const code = error instanceof StoreError ? error.storeCode : undefined;
    const { resourceExhausted } = StatusCode;
    if (code === "full") return new RpcError(resourceExhausted, "The state store is full.", { cause: error });
    if (code === "overloaded")
      return new RpcError(resourceExhausted, "The state store has too much to do.", { cause: error });
    return new RpcError(StatusCode.unavailable, "The state store of this host can't be used now.", { cause: error });
  }
}

// What stock clients save comes back to the byte, and of the same kind. JSON that an agent has saved reads as text.
const contentTypes = {
  text: "text/plain;charset=utf-8",
  binary: "application/octet-stream",
  proto: "application/x-protobuf;proto=google.protobuf.Any",
  none: "",
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const noBytes = new Uint8Array(0);

function contentOf(data: StoredData | undefined): { contentType: string; data: Uint8Array } {
  switch (data?.kind) {
    case "text":
      return { contentType: contentTypes.text, data: encoder.encode(data.text) };
    case "binary":
      return { contentType: contentTypes.binary, data: data.bytes };
    case "proto":
      return { contentType: contentTypes.proto, data: data.any };
    case undefined:
      return { contentType: contentTypes.none, data: noBytes };
  }
}

function dataOf({ contentType, data }: { contentType: string; data: Uint8Array }): StoredData | undefined {
  switch (contentType) {
    case contentTypes.none:
      return undefined;
    case contentTypes.text:
    case jsonContentType:
      return { kind: "text", text: decoder.decode(data) };
    case contentTypes.proto:
      return { kind: "proto", any: data };
    default:
      return { kind: "binary", bytes: data };
  }
}
