import type { MailReceiver } from "../../core/internal.ts";
import type { Msg } from "../driver.ts";
import type { HeaderPages } from "./header-pages.ts";
import { readMailbox, sizeIn } from "./mail-headers.ts";
import { placeOf } from "./shard-consumer.ts";

/** Reads which agents have mail, from the headers of the messages alone. */
export class MailScan {
  readonly #pages: HeaderPages;

  constructor(pages: HeaderPages) {
    this.#pages = pages;
  }

  /** Reads on behind a place until it has found agents that are wanted. Empty: there are no more. Rejects with a `StoreError`. */
  async page(after: number, isWanted: (receiver: MailReceiver) => boolean): Promise<readonly MailReceiver[]> {
    let from = after;
    for (;;) {
      const { messages, place, isLast } = await this.#pages.read(from);
      const found = messages.flatMap((message) => receiverIn(message) ?? []).filter((each) => isWanted(each));
      if (found.length > 0 || isLast) return found;
      from = place;
    }
  }
}

function receiverIn({ headers, reply }: Msg): MailReceiver | undefined {
  const mailbox = headers && readMailbox(headers);
  const at = placeOf(reply);
  if (headers === undefined || mailbox === undefined || at === undefined) return undefined;
  return { mailbox, place: at.place, bytes: sizeIn(headers) };
}
