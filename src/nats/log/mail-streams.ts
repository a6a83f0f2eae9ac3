import { hashOf, tokenOf } from "../../cluster/internal.ts";
import { type AgentName, shardOf, storeLimits } from "../../core/internal.ts";
import { nanosPerMs, openStream, replicasFor, type StreamParts, type WantedStream } from "../open-stream.ts";

/** The streams of a cluster that keep its mail and its dead letters. */
export interface MailStreams {
  /** Each message of a mailbox, until it is settled. */
  readonly mail: WantedStream;
  readonly dead: WantedStream;
  /** A message has had this place. Those of a stream that is made anew have higher ones. */
  know(place: number): void;
  /** The subject of a mailbox. */
  mailSubject(mailbox: AgentName): string;
  /** The subjects of the mailboxes of a shard. */
  shardSubjects(shard: number): string;
  /** The subject of the dead letters of a mailbox. */
  deadSubject(mailbox: AgentName): string;
  readonly allDead: string;
  /** The subject on which hosts tell each other what may be lost. */
  readonly hint: string;
}

/** The limits of a log, with which its streams are made. */
export interface MailLimits {
  readonly mailBytes: number;
  readonly mailboxMessages: number;
  readonly mailboxBytes: number;
  /** Milliseconds for which a mailbox knows the ids of its messages. */
  readonly mailIdMs: number;
  readonly deadLetterMs: number;
}

export const defaultMailLimits: MailLimits = {
  mailBytes: 10 * 1024 ** 3,
  mailboxMessages: storeLimits.mailboxMessages,
  mailboxBytes: storeLimits.mailboxBytes,
  mailIdMs: storeLimits.mailIdMs,
  deadLetterMs: storeLimits.deadLetterMs,
};

/** The log forgets dead letters before there are so many bytes of them. The stream holds them to it if it could not. */
const deadBytes = 2 * storeLimits.deadLettersBytes;

/** The places of a stream begin with the time. No stream takes so many messages, so that one that is made anew has higher places. */
const placesPerMs = 1_000;
/** Messages that may have been kept behind the last place that a host knows. */
const mostUnknown = 1_000_000;

/** Finds the streams of a cluster's mail, or makes them. Rejects with a `TroupeError` that says what to do. */
export async function openMailStreams(
  parts: StreamParts & { readonly clusterName: string },
  limits: MailLimits,
): Promise<MailStreams> {
  const streams = mailStreams(parts, replicasFor(parts), limits);
  await openStream(parts, streams.mail);
  await openStream(parts, streams.dead);
  return streams;
}

/** Makes the streams again that the servers no longer have. Resolves to whether one was missing. */
export async function restoreMailStreams(parts: StreamParts, { mail, dead }: MailStreams): Promise<boolean> {
  const made = [await openStream(parts, mail), await openStream(parts, dead)];
  return made.includes("made");
}

function mailStreams(
  { clusterName, clock }: Pick<StreamParts, "clock"> & { readonly clusterName: string },
  replicas: number,
  limits: MailLimits,
): MailStreams {
  let knownPlace = 0;
  const prefix = `troupe.${clusterName}`;
  const allDead = `${prefix}.dead.>`;
  return {
    mail: {
      ...{ stream: `TROUPE_${clusterName}_MAIL_0`, subjects: [`${prefix}.mail.>`], replicas },
      settings: {
        ...{ retention: "limits", discard: "new", discard_new_per_subject: true },
        max_msgs_per_subject: limits.mailboxMessages,
        duplicate_window: limits.mailIdMs * nanosPerMs,
      },
      maxBytes: limits.mailBytes,
      // A deletion that is on its way while the servers lose the stream must not find another message at its place.
      firstPlace: () => Math.max(1, Math.round(clock.wallNow() * placesPerMs), knownPlace + mostUnknown),
      isOurs: ({ retention, discard, discard_new_per_subject: isPerSubject, max_age: age }) =>
        retention === "limits" && discard === "new" && isPerSubject === true && age === 0,
    },
    dead: {
      ...{ stream: `TROUPE_${clusterName}_DEAD`, subjects: [allDead], replicas },
      settings: {
        ...{ retention: "limits", discard: "old", max_age: limits.deadLetterMs * nanosPerMs },
        duplicate_window: Math.min(limits.mailIdMs, limits.deadLetterMs) * nanosPerMs,
      },
      maxBytes: deadBytes,
      isOurs: ({ retention, discard }) => retention === "limits" && discard === "old",
    },
    know: (place) => {
      if (place > knownPlace) knownPlace = place;
    },
    mailSubject: (mailbox) => `${prefix}.mail.${shardOf(mailbox)}.${mailboxTokens(mailbox)}`,
    shardSubjects: (shard) => `${prefix}.mail.${shard}.>`,
    deadSubject: (mailbox) => `${prefix}.dead.${mailboxTokens(mailbox)}`,
    allDead,
    hint: `${prefix}.hint`,
  };
}

function mailboxTokens({ type, key }: AgentName): string {
  return `${tokenOf(type)}.${hashOf(`${type.length}:${type}/${key}`)}`;
}
