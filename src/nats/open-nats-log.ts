import { type DurableLog, type MakeId, randomId } from "../core/internal.ts";
import { connectNats } from "./connect-nats.ts";
import type { NatsModule } from "./driver.ts";
import { JetStreamLog } from "./log/jet-stream-log.ts";
import { defaultMailLimits, type MailLimits, openMailStreams, restoreMailStreams } from "./log/mail-streams.ts";
import { assertLogOptions, type NatsLogOptions } from "./nats-options.ts";

/** Parts of the log that tests replace. */
export interface NatsLogParts {
  readonly loadNats?: () => Promise<NatsModule>;
  readonly limits?: Partial<MailLimits>;
  readonly makeId?: MakeId;
}

/**
 * Opens the mail of a cluster in NATS JetStream: told messages, durable events and dead letters. It makes the streams if there are none. Its
 * connection is its own, so that leases do not wait behind mail. Everything else is as `openNatsStore` has it.
 *
 * @example
 * ```ts
 * await using log = await openNatsLog("nats://127.0.0.1:4222", { clusterName: "shop" });
 * ```
 */
export function openNatsLog(
  servers: string | readonly string[],
  options: NatsLogOptions = {},
): Promise<DurableLog & AsyncDisposable> {
  return openNatsLogWith(servers, options, {});
}

/** As `openNatsLog`, with other parts. */
export async function openNatsLogWith(
  servers: string | readonly string[],
  options: NatsLogOptions,
  parts: NatsLogParts,
): Promise<JetStreamLog> {
  assertLogOptions(options);
  const link = await connectNats(servers, options, parts.loadNats);
  const { client, clock, log, openTimeoutMs } = link;
  const { maxMailBytes: mailBytes, maxMailboxMessages: mailboxMessages, maxMailboxBytes: mailboxBytes } = options;
  const limits: MailLimits = {
    ...defaultMailLimits,
    ...(mailBytes === undefined ? {} : { mailBytes }),
    ...(mailboxMessages === undefined ? {} : { mailboxMessages }),
    ...(mailboxBytes === undefined ? {} : { mailboxBytes }),
    ...parts.limits,
  };
  try {
    const streams = await openMailStreams(link, limits);
    return new JetStreamLog({
      ...{ client, streams, clock, log, makeId: parts.makeId ?? randomId, mailboxBytes: limits.mailboxBytes },
      restoreStreams: () => restoreMailStreams({ ...link, untilMs: clock.now() + openTimeoutMs }, streams),
      onClosed: () => log.flush(),
    });
  } catch (error) {
    await client.close();
    throw error;
  }
}
