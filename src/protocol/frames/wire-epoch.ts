import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Epoch } from "../../core/internal.ts";
import type { EpochSchema, Epoch as WireEpoch } from "../gen/troupe/v1/channel_signal_pb.ts";

export function toWireEpoch(epoch: Epoch): MessageInitShape<typeof EpochSchema>;
export function toWireEpoch(epoch: Epoch | undefined): MessageInitShape<typeof EpochSchema> | undefined;
export function toWireEpoch(epoch: Epoch | undefined): MessageInitShape<typeof EpochSchema> | undefined {
  return epoch && { generation: BigInt(epoch.generation), era: epoch.era, number: BigInt(epoch.number) };
}

/** Throws `Error` for a number beyond 2^53 - 1. */
export function fromWireEpoch(epoch: WireEpoch | undefined): Epoch | undefined {
  return epoch && { generation: safe(epoch.generation), era: epoch.era, number: safe(epoch.number) };
}

/** Reads a whole number. Throws `Error` for one that is negative or beyond 2^53 - 1. */
export function safe(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`its number ${value} is out of range`);
}
