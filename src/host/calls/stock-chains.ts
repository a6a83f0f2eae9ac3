import { withoutVia } from "../../core/internal.ts";
import { decodeFrame, type PeekedRequest, parsePath, pathText, withPath } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall, StockPath } from "../sessions/pending-call.ts";

// protocol.md §11.13
/**
 * The paths of calls to workers that know no paths. Such a worker passes no path on with the calls that its agents make. If one pending call to
 * the agent has a path, the host takes it for the path of the agent's own calls. Of several calls of one chain it takes the longest path.
 * Otherwise it can't know.
 */
export class StockChains {
  /** The pending calls with a path, by worker and by agent. */
  readonly #kept = new Map<Peer, Map<string, Set<PendingCall>>>();

  /** Keeps the path of a call on the account of its caller. Without space there the path ends at this worker. */
  keep(call: PendingCall, target: Peer, targetKey: string, path: string): void {
    const parsed = parsePath(path);
    if (parsed.length === 0) return;
    const agent = `${call.targetType}/${targetKey}`;
    const turns = pathText(withoutVia(parsed));
    const bytes = keptBytes + 2 * (path.length + turns.length + agent.length);
    if (!call.caller.account.take(bytes)) return;
    call.stockPath = { target, agent, path, turns, bytes };
    const agents = this.#kept.get(target) ?? new Map<string, Set<PendingCall>>();
    this.#kept.set(target, agents.set(agent, (agents.get(agent) ?? new Set()).add(call)));
  }

  /** Returns a call with the path that its caller could not pass on. */
  onPath(caller: Peer, request: PeekedRequest): PeekedRequest {
    const path = this.#pathOf(caller, request);
    return path === undefined ? request : withPath(request, path);
  }

  /** Returns the path of a call that an agent of such a worker makes. Undefined: it has none, or the host can't know it. */
  #pathOf(caller: Peer, request: PeekedRequest): string | undefined {
    if (this.#kept.size === 0 || request.hasPath) return undefined;
    const agents = this.#kept.get(caller);
    const source = agents === undefined ? undefined : sourceOf(request.bytes);
    const calls = source === undefined ? undefined : agents?.get(source);
    const kept = [...(calls ?? [])].flatMap(({ stockPath }) => stockPath ?? []);
    const [first] = kept;
    if (first === undefined || kept.every(({ path }) => path === first.path)) return first?.path;
    const longest = kept.reduce((one, { turns }) => (turns.length > one.length ? turns : one), "");
    // A chain may come to the same agent several times. Then each path begins with the turns of the one before. The calls between them may differ.
    const isOneChain = kept.every(({ turns }) => turns === longest || longest.startsWith(`${turns},`));
    return isOneChain ? longest : undefined;
  }

  /** Forgets the path of a call that leaves the table. */
  forget(call: PendingCall, { target, agent, bytes }: StockPath): void {
    call.stockPath = undefined;
    call.caller.account.release(bytes);
    const agents = this.#kept.get(target);
    const calls = agents?.get(agent);
    if (calls?.delete(call) !== true || calls.size > 0) return;
    agents?.delete(agent);
    if (agents?.size === 0) this.#kept.delete(target);
  }
}

/** About what the entries of the tables take. */
const keptBytes = 400;

/** Returns the agent that makes a call, `type/key`, if the call names it. The quick reader does not read it, since it seldom matters. */
export function sourceOf(bytes: Uint8Array): string | undefined {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "request" || frame.source === undefined) return undefined;
    return `${frame.source.type}/${frame.source.key}`;
  } catch {
    return undefined;
  }
}
