import { type Clock, TroupeError } from "../core/internal.ts";

/** Milliseconds between two comments on a quiet stream, which keep proxies from closing it. */
const quietMs = 15_000;
/** Times that a reader may have taken nothing before its stream ends: a minute. */
const mostUnread = 4;

const utf8 = new TextEncoder();

export interface EventBodyOptions {
  readonly clock: Clock;
  /** Called once, when the stream has ended for any reason. */
  readonly onEnd: () => void;
}

/**
 * Makes the body of server-sent events. `events` yields whole events and is asked for the next one when the reader has taken the one before, so that
 * nothing waits here. A reader that takes nothing for a minute is cut off. When the reader leaves, `events` ends.
 */
export function eventBody(
  events: AsyncGenerator<string, void, undefined>,
  { clock, onEnd }: EventBodyOptions,
): ReadableStream<Uint8Array> {
  let unread = 0;
  let isOver = false;
  let timer = clock.setTimer(quietMs, () => {});
  timer.cancel();
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    onEnd();
    // What the generator throws at its end has no reader.
    events.return().catch(() => undefined);
  };
  const tick = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (isOver) return;
    // A negative number: the event or the comment before has not been taken.
    if ((controller.desiredSize ?? -1) >= 0) {
      unread = 0;
      controller.enqueue(utf8.encode(":\n\n"));
    } else {
      unread += 1;
    }
    if (unread >= mostUnread) {
      controller.error(new TroupeError("timed-out", "The reader of this stream has taken nothing for a minute."));
      return end();
    }
    timer = clock.setTimer(quietMs, () => tick(controller));
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        timer = clock.setTimer(quietMs, () => tick(controller));
      },
      async pull(controller) {
        unread = 0;
        try {
          const next = await events.next();
          if (isOver) return;
          if (next.done !== true) return controller.enqueue(utf8.encode(next.value));
          controller.close();
          end();
        } catch (error) {
          if (!isOver) controller.error(error);
          end();
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

/** Formats an event. `data` has no line end. */
export function formatEvent(
  data: string,
  { event, id }: { readonly event?: string; readonly id?: string } = {},
): string {
  return `${id === undefined ? "" : `id: ${id}\n`}${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`;
}

/** Headers of server-sent events. */
export const eventHeaders = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" } as const;
