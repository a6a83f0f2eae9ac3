import type { AgentName } from "./agent-name.ts";
import type { PageQuery } from "./state-store.ts";

/** Names a run: a stream of an agent that is kept. */
export interface RunName {
  readonly agent: AgentName;
  readonly id: string;
}

/** The state of a run. */
export type RunState = "working" | "completed" | "failed" | "cancelled";

/** Begins a run. Its id must be free. */
export interface RunCreation {
  readonly at: "create";
  readonly id: string;
  /** The message that the run answers, as it goes over the wire. */
  readonly message: Uint8Array;
  /** The principal that started it; empty if the host knows none. */
  readonly principal: string;
  /** Names the one to whom the run belongs, for the program that guards it. The store does not read it. */
  readonly owner: string;
  /** Handlers above the run that no longer wait. */
  readonly depth: number;
  /** Wall clock, milliseconds since 1970. */
  readonly startedAtMs: number;
  /** When the run has to end: wall clock. Undefined: it has no limit. */
  readonly deadlineMs?: number | undefined;
  /** Milliseconds for which the run is kept after its end. */
  readonly keepMs: number;
}

/** Changes a run that works. */
export type RunProgress =
  /** Adds chunks. `from`: the place of the first one, which is the `next` of the stored run. */
  | { readonly at: "append"; readonly id: string; readonly from: number; readonly chunks: readonly Uint8Array[] }
  /** Another worker continues the run after one was lost. */
  | { readonly at: "takeover"; readonly id: string }
  /** The run has come further since the last takeover, so that their count begins anew. */
  | { readonly at: "step"; readonly id: string }
  /** Ends the run. `outcome`: its answer or its error. */
  | {
      readonly at: "end";
      readonly id: string;
      readonly status: Exclude<RunState, "working">;
      readonly outcome: Uint8Array;
    };

/** A change that a commit makes of a run of its agent. */
export type RunChange = RunCreation | RunProgress;

/** A run as it is stored, without its message, its chunks and its outcome. */
export interface StoredRun {
  readonly agent: AgentName;
  readonly id: string;
  readonly status: RunState;
  readonly principal: string;
  readonly owner: string;
  readonly depth: number;
  readonly startedAtMs: number;
  readonly deadlineMs: number | undefined;
  readonly keepMs: number;
  /** When it was written last. */
  readonly updatedAtMs: number;
  /** Place of the first chunk that is kept. */
  readonly first: number;
  /** Place of the next chunk: as many as there were. */
  readonly next: number;
  /** Bytes of the kept chunks, each with 64 more. */
  readonly bytes: number;
  /** Takeovers since the last step. */
  readonly takeovers: number;
}

/** Which part of a run to read. */
export interface RunPageQuery extends PageQuery {
  /** Place of the first chunk. Those that are no longer kept are left out. Default: 0. */
  readonly from?: number | undefined;
  /** Whether the page has the message of the run. Default: false. */
  readonly message?: boolean | undefined;
}

/** A part of a run. */
export interface RunPage {
  readonly run: StoredRun;
  readonly message: Uint8Array | undefined;
  /** Place of the first of these chunks. */
  readonly from: number;
  readonly chunks: readonly Uint8Array[];
  /** The answer or the error. Undefined: the run works, or chunks follow these. */
  readonly outcome: Uint8Array | undefined;
}

/** Which runs to list. */
export interface RunQuery {
  /** Default: of all agents. */
  readonly agent?: AgentName | undefined;
  /** Default: of all types. */
  readonly type?: string | undefined;
  /** Default: in each state. */
  readonly status?: RunState | undefined;
  /** The run with which the last page ended. Default: from the first. */
  readonly after?: RunName | undefined;
  /** Runs at most, up to 1,000. Default: 1,000. */
  readonly limit?: number | undefined;
}

/** One page of a list of runs: by type, then by key, then by id, in the order of their bytes in UTF-8. */
export interface RunList {
  readonly runs: readonly StoredRun[];
  /** False: more runs follow the last one of this page. */
  readonly isLast: boolean;
}
