import { type AgentName, type DurableMessage, shardOf } from "../../core/internal.ts";
import type { Msg } from "../driver.ts";
import { headerBytes, headerBytesIn, sizeIn } from "./mail-headers.ts";
import type { MailStreams } from "./mail-streams.ts";
import { placeOf } from "./shard-consumer.ts";
import type { CountedMail } from "./shard-sums.ts";

/** What a server writes of each message beside its subject, headers and bytes. */
const recordBytes = 34;

/** A message with the subject of its mailbox. */
export interface AddressedMail extends CountedMail {
  readonly shard: number;
  readonly subject: string;
}

/** Returns how a message counts that is at a place of its mailbox, or is about to be kept there: at the place 0. */
export function countedMail(
  { mailSubject }: Pick<MailStreams, "mailSubject">,
  mailbox: AgentName,
  { place = 0, ...message }: DurableMessage & { readonly place?: number },
): AddressedMail {
  const subject = mailSubject(mailbox);
  const bytes = recordBytes + subject.length + headerBytes(mailbox, message) + message.frame.length;
  return { place, shard: shardOf(mailbox), subject, ...tokensOf(subject), bytes };
}

/** Returns how a message counts whose headers alone were read. Undefined: Troupe has not written it. */
export function countedIn({ subject, headers, reply }: Msg): CountedMail | undefined {
  const at = placeOf(reply);
  if (headers === undefined || at === undefined) return undefined;
  const bytes = recordBytes + subject.length + headerBytesIn(headers) + sizeIn(headers);
  return { place: at.place, ...tokensOf(subject), bytes };
}

function tokensOf(subject: string): Pick<CountedMail, "type" | "mailbox"> {
  const [mailbox = "", type = ""] = subject.split(".").reverse();
  return { type, mailbox };
}
