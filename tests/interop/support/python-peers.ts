import type { Generation } from "./generations.ts";
import type { MessageToSend, PeerEvent, PythonAgent } from "./peer-protocol.ts";
import { PythonPeer, type PythonPeerOptions } from "./python-peer.ts";

export interface PythonHostOptions {
  /** Default 127.0.0.1:0. */
  readonly address?: string;
  /** gRPC's limit in both directions. Default 4 MiB, gRPC's own. */
  readonly maxMessageBytes?: number;
}

export interface PythonWorkerOptions {
  /** How events are encoded; calls are always JSON. Default "application/json". */
  readonly format?: "application/json" | "application/x-protobuf";
  readonly maxMessageBytes?: number;
  /** Types whose serializers are added besides those of the agents' handlers. Default: all of messages.py. */
  readonly types?: readonly string[];
  readonly name?: string;
  /** Whether each span that the runtime starts is told as a `span` event. Default false. */
  readonly notesSpans?: boolean;
}

/** A running AutoGen host and its address. */
export interface PythonHost {
  readonly peer: PythonPeer;
  readonly address: string;
}

/** AutoGen's own host on a free port of 127.0.0.1. */
export async function startPythonHost(generation: Generation, config: PythonHostOptions = {}): Promise<PythonHost> {
  const peer = await start(generation, "host.py", config);
  const [ready] = peer.eventsNamed("ready");
  if (ready?.address === undefined) throw new Error("a host that does not tell its address");
  return { peer, address: ready.address };
}

/** AutoGen's own worker, registered with its agents at the host. */
export function startPythonWorker(
  generation: Generation,
  hostAddress: string,
  agents: readonly PythonAgent[] = [],
  options: PythonWorkerOptions = {},
): Promise<PythonPeer> {
  return start(generation, "worker.py", { host: hostAddress, agents, ...options });
}

/** grpc-python as a bare client or server; long frames are shown in full. */
export function startRawGrpc(generation: Generation): Promise<PythonPeer> {
  return start(generation, "raw_grpc.py", { fullFrames: true });
}

/** The stubs of gens 1 and 2 for the host's state store. */
export function startStateStoreClient(generation: Generation, hostAddress: string): Promise<PythonPeer> {
  const clientId = generation.number === 1 ? {} : { clientId: "state-client" };
  return start(generation, "state_store.py", { host: hostAddress, ...clientId });
}

/** Has a Python worker call an agent; resolves to how the call ended, as its caller sees it. */
export function callFrom(
  worker: PythonPeer,
  target: string,
  message: MessageToSend,
  options: { readonly sender?: string; readonly timeoutMs?: number } = {},
): Promise<PeerEvent<"answer" | "error" | "timeout">> {
  const id = worker.send({ cmd: "send", target, ...message, ...options });
  return worker.nextOf(["answer", "error", "timeout"], (event) => event.id === id);
}

/** Has a Python worker publish; resolves when its runtime has taken the message. */
export async function publishFrom(worker: PythonPeer, topic: string, message: MessageToSend): Promise<void> {
  const id = worker.send({ cmd: "publish", topic, ...message });
  const event = await worker.nextOf(["published", "error"], (candidate) => candidate.id === id);
  if (event.event === "error") throw new Error(`${event.class}: ${event.text}`);
}

function start(generation: Generation, script: PythonPeerOptions["script"], config: object): Promise<PythonPeer> {
  if (generation.python === undefined) throw new Error(generation.skipReason);
  return PythonPeer.start({ python: generation.python, script, config });
}
