import { decodeFrame, type Frame } from "../../src/protocol/index.ts";
import type { Gate } from "./around-streams.ts";
import type { KeptFaultKind } from "./kept/plan.ts";
import type { Plant } from "./world-parts.ts";

export interface PlantedBug {
  readonly name: string;
  readonly plant: Plant;
  /** Every world has persistent agents and these faults. Undefined: the dice decide. */
  readonly always?: readonly KeptFaultKind[];
  /** Agents leave their workers in every world. */
  readonly alwaysLeaves?: boolean;
  /** The checkers of which at least one must complain. */
  readonly caughtBy: readonly string[];
}

export type Pass = (bytes: Uint8Array) => boolean;
type Meddle<Kind extends Frame["kind"]> = (
  frame: Extract<Frame, { readonly kind: Kind }>,
  pass: Pass,
  bytes: Uint8Array,
) => boolean;

/** A gate that meddles with each frame of one kind that goes out, every `period`th only. */
export function meddler<Kind extends Frame["kind"]>(kind: Kind, period: number, meddle: Meddle<Kind>): Gate {
  let count = 0;
  return {
    out: (bytes, pass) => {
      const frame = decodeFrame(bytes);
      if (!isOf(frame, kind) || ++count % period !== 0) return pass(bytes);
      return meddle(frame, pass, bytes);
    },
  };
}

function isOf<Kind extends Frame["kind"]>(frame: Frame, kind: Kind): frame is Extract<Frame, { readonly kind: Kind }> {
  return frame.kind === kind;
}
