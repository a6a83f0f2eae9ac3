import type { GetStateAnswer, SaveStateAnswer, StoredState, WireAgentId } from "../../protocol/internal.ts";
import type { StateStore } from "../../storage/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";

const mismatchText =
  "The provided ETag does not match the current ETag. The state has been modified by another request.";

// protocol.md §1.7
/** GetState and SaveState of generations 1 and 2 over a state store. */
export class LegacyState {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Answers an unknown agent with its id alone. */
  async get(agentId: WireAgentId): Promise<GetStateAnswer> {
    const version = await this.#store.load(agentId);
    return {
      state: { agentId, eTag: version?.eTag ?? "", data: version?.data },
      success: true,
      error: undefined,
    };
  }

  /** Forgets a state. False: there was none. */
  delete(agentId: WireAgentId): Promise<boolean> {
    return this.#store.delete(agentId);
  }

  /**
   * Saves a state. Generation 1 sends no `client-id` and finds a refusal in the answer; generation 2's answer is empty, so that
   * a refusal is a status.
   */
  async save(state: StoredState, clientId: string | undefined): Promise<SaveStateAnswer> {
    const refusal = await this.#save(state);
    if (refusal === undefined) return { success: true, error: undefined };
    if (clientId !== undefined) throw refusal;
    return { success: false, error: refusal.message };
  }

  async #save({ agentId, eTag, data }: StoredState): Promise<RpcError | undefined> {
    if (agentId === undefined) return new RpcError(StatusCode.invalidArgument, "The state names no agent.");
    const outcome = await this.#store.save(agentId, data, eTag);
    switch (outcome.at) {
      case "saved":
        return undefined;
      case "conflict":
        return new RpcError(StatusCode.aborted, mismatchText);
      case "full":
        return new RpcError(StatusCode.resourceExhausted, `The state store is full: ${outcome.limit}.`);
    }
  }
}
