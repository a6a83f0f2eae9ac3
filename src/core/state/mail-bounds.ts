import { loggableUpTo } from "../delivery/loggable.ts";
import type { AgentName } from "./agent-name.ts";
import type { DeadReason } from "./durable-log.ts";
import { storeLimits } from "./store-limits.ts";

/**
 * The bound that mail finds full. `full`: its mailbox. `type-full`: the share of its agent type in the mail of the store. `mail-full`: the
 * mail of the store.
 */
export type FullMail = "full" | "type-full" | "mail-full";

/** The outcome of keeping a message in a log. `known`: its mailbox was given a message of this id in the last 10 minutes. */
export type AppendOutcome = "kept" | "known" | FullMail;

/** Bounds of the mail of a store. */
export interface MailBounds {
  /** Messages of one mailbox. */
  readonly mailboxMessages: number;
  /** Bytes of one mailbox, as `mailSize` counts them. */
  readonly mailboxBytes: number;
  /** Bytes of all mailboxes. Those of one agent type have at most two thirds. */
  readonly bytes: number;
}

/** The options of a store that bound its mail. */
export interface MailBoundOptions {
  /** Messages of one mailbox. */
  readonly maxMailboxMessages?: number | undefined;
  /** Bytes of one mailbox. Each message counts its own and 1 KiB. */
  readonly maxMailboxBytes?: number | undefined;
  /** Bytes of all mailboxes. Those of one agent type have at most two thirds. */
  readonly maxMailBytes?: number | undefined;
}

/** Sizes of a mailbox, of the mail of its agent type and of the store; or of an addition to them. */
export interface MailSizes {
  readonly messages: number;
  readonly mailboxBytes: number;
  readonly typeBytes: number;
  readonly bytes: number;
}

/** Reads the options of a store, with its own default for all mail. */
export function mailBoundsOf(options: MailBoundOptions, mailBytes: number = storeLimits.mailBytes): MailBounds {
  return {
    mailboxMessages: options.maxMailboxMessages ?? storeLimits.mailboxMessages,
    mailboxBytes: options.maxMailboxBytes ?? storeLimits.mailboxBytes,
    bytes: options.maxMailBytes ?? mailBytes,
  };
}

/** Returns the bytes of a kept message that count for all bounds. A short one counts as 1 KiB more, so that rows are bounded, too. */
export function mailSize(frameBytes: number): number {
  return frameBytes + storeLimits.mailOverheadBytes;
}

/** Returns the bytes that the mail of one agent type may have. */
export function mailShareOf({ bytes }: Pick<MailBounds, "bytes">): number {
  return Math.floor((bytes / 3) * 2);
}

/** Says which bound what is there and what is added are over together. Undefined: none. */
export function fullMail(there: MailSizes, added: MailSizes, bounds: MailBounds): FullMail | undefined {
  const isMailboxFull =
    there.messages + added.messages > bounds.mailboxMessages ||
    there.mailboxBytes + added.mailboxBytes > bounds.mailboxBytes;
  if (isMailboxFull) return "full";
  if (there.bytes + added.bytes > bounds.bytes) return "mail-full";
  return there.typeBytes + added.typeBytes > mailShareOf(bounds) ? "type-full" : undefined;
}

/** Names the limit if a message is too long for an empty mailbox. Undefined: it is not. */
export function mailboxTooSmall(frameBytes: number, bounds: MailBounds): string | undefined {
  const most = Math.min(bounds.mailboxBytes, mailShareOf(bounds));
  return mailSize(frameBytes) > most
    ? `${most} bytes of one mailbox, its message of ${frameBytes} among them`
    : undefined;
}

/** Whether a log has not kept a message for want of space. */
export function isFullMail(outcome: AppendOutcome | undefined): outcome is FullMail {
  return outcome === "full" || outcome === "type-full" || outcome === "mail-full";
}

/** Names a bound for people. */
export function mailLimitText(full: FullMail, bounds: MailBounds): string {
  switch (full) {
    case "full":
      return `${bounds.mailboxMessages} messages and ${bounds.mailboxBytes} bytes of one mailbox (maxMailboxMessages, maxMailboxBytes)`;
    case "type-full":
      return `${mailShareOf(bounds)} bytes of the mail of one agent type (two thirds of maxMailBytes)`;
    case "mail-full":
      return `${bounds.bytes} bytes of all mail (maxMailBytes)`;
  }
}

/** Says of a mailbox why it takes no more. */
export function fullMailText(mailbox: AgentName, full: FullMail): string {
  const name = nameInError(mailbox);
  switch (full) {
    case "full":
      return `The mailbox of ${name} is full: its messages wait for the agent.`;
    case "type-full":
      return `The mailbox of ${name} takes no more: the mail of its agent type has as many bytes as it may.`;
    case "mail-full":
      return `The mailbox of ${name} takes no more: the mail of the store has as many bytes as it may.`;
  }
}

/** Says what the sender of a message can do that found no space. */
export const fullMailAdvice = "Try again when messages were handled. If no worker serves the agents, start one.";

/** Names an agent in an error, escaped and cut. */
export function nameInError({ type, key }: AgentName): string {
  return `${loggableUpTo(100, type)}/${loggableUpTo(100, key)}`;
}

/** The reason of a dead letter that found no space in its mailbox. */
export function fullReason(mailbox: AgentName): DeadReason {
  const text = `The mailbox of ${nameInError(mailbox)} took no more messages, and no worker served its agent type.`;
  return { code: "mailbox-full", text, attempts: 0 };
}

/** Says of a commit that it is refused since its mail has no space. */
export function fullMailboxText(sender: AgentName, refused: Parameters<typeof fullMailboxOf>[0]): string {
  return `${nameInError(sender)} sends to ${fullMailboxOf(refused)}. Nothing has changed. ${fullMailAdvice}`;
}

/** Names the mailbox for which a commit is refused, and its limit, as the object of a sentence. */
export function fullMailboxOf({
  mailbox,
  limit,
}: {
  readonly mailbox?: AgentName | undefined;
  readonly limit: string;
}): string {
  const name = mailbox === undefined ? "a mailbox" : `the mailbox of ${nameInError(mailbox)}`;
  return `${name}, which takes no more: the limit is ${limit}`;
}
