import type { MemoryAccount, MemoryAccountant } from "../transport/internal.ts";

/** Opens an account for what the host keeps for itself. It can't let go of that when clients need the space: it gets less instead. */
export function openOwnAccount(accountant: Pick<MemoryAccountant, "openAccount">, name: string): MemoryAccount {
  return accountant.openAccount({ party: "the host", name, giveWay: undefined });
}
