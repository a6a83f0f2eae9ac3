import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { capabilitiesIn } from "../capabilities.ts";
import type { WirePattern } from "../frames/frame.ts";
import { fromBinary, parsing } from "../frames/from-binary.ts";
import { safe } from "../frames/wire-epoch.ts";
import {
  type Interest,
  PeerFrameSchema,
  type PeerHelloSchema,
  type Taken,
  type PeerCall as WirePeerCall,
  type PeerFrame as WirePeerFrame,
  type WorkerHere as WireWorkerHere,
  type WorkerHereSchema,
} from "../gen/troupe/v1/peer_pb.ts";
import type { PeerFrame, PeerHello, PeerMessageName, RarePeerFrame, WorkerHere } from "./peer-frame.ts";
import { decodePeerFrameQuickly, isFirst } from "./quick-peer-codec.ts";

type WireKind = NonNullable<MessageInitShape<typeof PeerFrameSchema>["kind"]>;

// protocol.md §12
/** Encodes a frame of a link that carries no message of a worker. */
export function encodePeerFrame(frame: RarePeerFrame): Uint8Array {
  return toBinary(PeerFrameSchema, create(PeerFrameSchema, { kind: toWireKind(frame) }));
}

/** Decodes a frame of a link; messages in it are views into `bytes`. Throws `invalid-message`. */
export function decodePeerFrame(bytes: Uint8Array): PeerFrame {
  return (
    decodePeerFrameQuickly(bytes) ??
    parsing("a frame between hosts", () => fromWireKind(fromBinary(PeerFrameSchema, bytes).kind))
  );
}

function toWireKind(frame: RarePeerFrame): WireKind {
  switch (frame.kind) {
    case "hello":
      return { case: "hello", value: toWireHello(frame) };
    case "notice":
      return { case: "notice", value: frame.notice };
    case "waiting":
      return { case: "waiting", value: frame.notice };
    case "bounce": {
      const { what, types, reason, heldBy = "", frame: message } = frame;
      return { case: "bounce", value: { what: toWireName(what), types: [...types], reason, heldBy, frame: message } };
    }
    case "taken":
      return { case: "taken", value: { what: toWireName(frame.what) } };
    case "flush": {
      const { number, slot, agentType, key } = frame;
      return { case: "flush", value: { number: BigInt(number), slot, type: agentType, key } };
    }
    case "flushed":
      return { case: "flushed", value: { number: BigInt(frame.number) } };
    case "here":
      return { case: "here", value: toWireHere(frame) };
    case "away":
      return { case: "away", value: { slot: frame.slot } };
    case "interest": {
      const { begins, pattern } = frame;
      const { agentType } = pattern;
      const topic = pattern.kind === "type" ? pattern.topicType : pattern.topicTypePrefix;
      return { case: "interest", value: { begins, kind: pattern.kind === "type" ? 0 : 1, topic, agentType } };
    }
    case "load":
      return {
        case: "load",
        value: { workers: frame.workers.map(({ slot, agents, calls }) => ({ slot, agents, calls })) },
      };
    case "barrier":
      return { case: "barrier", value: { number: BigInt(frame.number) } };
    case "barrier-read":
      return { case: "barrierRead", value: { number: BigInt(frame.number) } };
    case "control":
      return { case: "control", value: frame.envelope };
    case "unary": {
      const { number, method, clientId, principal, request, metadata } = frame;
      const named = principal === undefined ? {} : { principal };
      return {
        case: "unary",
        value: { number: BigInt(number), method, clientId, request, metadata: { ...metadata }, ...named },
      };
    }
    case "unary-answer": {
      const { number, code, details, answer, metadata } = frame;
      return {
        case: "unaryAnswer",
        value: { number: BigInt(number), code, details, answer, metadata: { ...metadata } },
      };
    }
  }
}

function toWireName(name: PeerMessageName): Exclude<Taken["what"], { case: undefined }> {
  return "event" in name ? { case: "event", value: BigInt(name.event) } : { case: "requestId", value: name.requestId };
}

function toWireHello({
  cluster,
  hostId,
  oldest,
  newest,
  features,
}: PeerHello): MessageInitShape<typeof PeerHelloSchema> {
  return { cluster, hostId, oldest, newest, features: [...features] };
}

function toWireHere(here: WorkerHere): MessageInitShape<typeof WorkerHereSchema> {
  const { slot, session, clientId, isAnnounced, worker, capabilities, isDraining } = here;
  const { id, name, version = "", labels } = worker;
  return {
    ...{ slot, workerId: id, session: BigInt(session), clientId, announced: isAnnounced, version, name },
    ...{ labels: { ...labels }, capabilities: [...capabilities], draining: isDraining },
  };
}

function fromWireKind(kind: WirePeerFrame["kind"]): PeerFrame {
  switch (kind.case) {
    case "call":
      return callOf(kind.value);
    case "answer":
      return { kind: "answer", frame: kind.value };
    case "event":
      return {
        kind: "event",
        number: safe(kind.value.number),
        targets: kind.value.targets.map(({ slot, types }) => ({ slot, types })),
        frame: kind.value.frame,
      };
    case "hello": {
      const { cluster, hostId, oldest, newest, features } = kind.value;
      return { kind: "hello", cluster, hostId, oldest, newest, features: capabilitiesIn(features) };
    }
    case "notice":
      return { kind: "notice", notice: kind.value };
    case "waiting":
      return { kind: "waiting", notice: kind.value };
    case "bounce": {
      const { types, reason, heldBy, frame } = kind.value;
      const what = fromWireName(kind.value.what);
      if (what === undefined) return { kind: "empty" };
      return { kind: "bounce", what, types, reason, heldBy: heldBy === "" ? undefined : heldBy, frame };
    }
    case "taken": {
      const what = fromWireName(kind.value.what);
      return what === undefined ? { kind: "empty" } : { kind: "taken", what };
    }
    case "flush": {
      const { number, slot, type: agentType, key } = kind.value;
      return { kind: "flush", number: safe(number), slot, agentType, key };
    }
    case "flushed":
      return { kind: "flushed", number: safe(kind.value.number) };
    case "here":
      return fromWireHere(kind.value);
    case "away":
      return { kind: "away", slot: kind.value.slot };
    case "interest":
      return { kind: "interest", begins: kind.value.begins, pattern: patternOf(kind.value) };
    case "load":
      return {
        kind: "load",
        workers: kind.value.workers.map(({ slot, agents, calls }) => ({ slot, agents, calls })),
      };
    case "barrier":
      return { kind: "barrier", number: safe(kind.value.number) };
    case "barrierRead":
      return { kind: "barrier-read", number: safe(kind.value.number) };
    case "control":
      return { kind: "control", envelope: kind.value };
    case "unary": {
      const { number, method, clientId, principal, request, metadata } = kind.value;
      return { kind: "unary", number: safe(number), method, clientId, principal, request, metadata };
    }
    case "unaryAnswer": {
      const { number, code, details, answer, metadata } = kind.value;
      return { kind: "unary-answer", number: safe(number), code, details, answer, metadata };
    }
    case undefined:
      return { kind: "empty" };
  }
}

function callOf({ slot, flags, principal, frame }: WirePeerCall): PeerFrame {
  return { kind: "call", slot, isFirst: isFirst(flags), principal, frame };
}

function fromWireName(what: Taken["what"]): PeerMessageName | undefined {
  switch (what.case) {
    case "requestId":
      return { requestId: what.value };
    case "event":
      return { event: safe(what.value) };
    case undefined:
      return undefined;
  }
}

function fromWireHere(here: WireWorkerHere): WorkerHere {
  const { slot, workerId: id, session, clientId, announced, version, labels, name, capabilities, draining } = here;
  return {
    ...{ kind: "here", slot, session: safe(session), clientId, isAnnounced: announced },
    worker: { id, name, version: version === "" ? undefined : version, labels },
    capabilities: capabilitiesIn(capabilities),
    isDraining: draining,
  };
}

function patternOf({ kind, topic, agentType }: Interest): WirePattern {
  return kind === 0
    ? { kind: "type", topicType: topic, agentType }
    : { kind: "prefix", topicTypePrefix: topic, agentType };
}
