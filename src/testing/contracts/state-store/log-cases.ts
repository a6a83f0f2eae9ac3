import { letterCases } from "./letter-cases.ts";
import { mailboxCases } from "./mailbox-cases.ts";
import type { StoreCase } from "./store-case.ts";

/** The log of mailboxes, of stores that have one. */
export const logCases: readonly StoreCase[] = [...mailboxCases, ...letterCases];
