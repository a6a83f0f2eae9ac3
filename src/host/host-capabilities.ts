import type { Capability } from "../protocol/internal.ts";
import type { ResolvedHostOptions } from "./options.ts";

/** Returns the capabilities that a host with these options names to announced workers. */
export function capabilitiesOf(
  options: Pick<ResolvedHostOptions, "heartbeatMs" | "allowMultipleOwners" | "log" | "keepsStates" | "cluster">,
): ReadonlySet<Capability> {
  const { heartbeatMs, allowMultipleOwners, log, keepsStates, cluster } = options;
  const words = new Set<Capability>();
  if (heartbeatMs > 0 && Number.isFinite(heartbeatMs)) words.add("heartbeat");
  words.add("turns");
  if (keepsStates) words.add("states");
  if (!allowMultipleOwners) words.add("claims");
  if (log !== undefined) words.add("mail");
  if (cluster !== undefined) words.add("lease");
  words.add("streams");
  if (keepsStates) words.add("runs");
  return words;
}
