import type { AgentName, Settlements } from "../core/internal.ts";

/** Bytes of an entry of a list, beside its text. */
export const entryBytes = 8;

/** Returns how many bytes these texts take at most while they wait. */
export function bytesOfTexts(...texts: readonly (string | undefined)[]): number {
  let bytes = 0;
  for (const text of texts) bytes += 2 * (text?.length ?? 0);
  return bytes;
}

/** Returns how many bytes the name of an agent takes at most while it waits. */
export function bytesOfName(name: AgentName | undefined): number {
  return name === undefined ? 0 : 2 * (name.type.length + name.key.length);
}

/** Returns about how many bytes settlements have while they wait. `partBytes`: of each one, beside its texts. */
export function bytesOfSettlements({ ticks, mail }: Settlements, partBytes: number): number {
  let bytes = partBytes * (1 + ticks.length + mail.length);
  for (const { agent, name, rule } of ticks) bytes += bytesOfName(agent) + bytesOfTexts(name, rule);
  return bytes;
}
