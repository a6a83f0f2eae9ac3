import type { CallAnswer } from "../../../src/admin/internal.ts";
import { Problem, textOf } from "../../asking/api.ts";
import { api } from "../../asking/login.svelte.ts";

/** The answer to a CloudEvent. */
interface Published {
  readonly id: string;
  readonly isKept: boolean;
  readonly workers: number | null;
}

/** The end of a message. */
export type Outcome =
  | { readonly at: "answered"; readonly answer: CallAnswer }
  | { readonly at: "published"; readonly published: Published }
  | { readonly at: "failed"; readonly code: string; readonly text: string }
  | { readonly at: "cancelled" };

export interface CallToSend {
  readonly type: string;
  readonly key: string;
  readonly message: string;
  readonly timeoutMs: number;
  readonly value: unknown;
}

export interface EventToSend {
  readonly topicType: string;
  readonly topicSource: string;
  readonly message: string;
  readonly value: unknown;
}

/** Sends one message after the other, each in a trace of its own. It ends with the view: then the host ends the call, too. */
export class Sending {
  outcome: Outcome | undefined = $state.raw(undefined);
  isUnderWay: boolean = $state(false);
  /** Of the last message. Empty: none was sent. */
  traceId: string = $state("");
  #ending: AbortController | undefined;

  constructor() {
    $effect(() => () => this.cancel());
  }

  cancel(): void {
    this.#ending?.abort();
  }

  call({ type, key, message, timeoutMs, value }: CallToSend): Promise<void> {
    return this.#send(async (traceparent, signal) => {
      const answer = await api().ask<CallAnswer>("POST", "/v1/calls", {
        parameters: { type, key, message, timeoutMs },
        headers: { "content-type": "application/json", traceparent },
        ...{ body: JSON.stringify(value), signal },
      });
      return { at: "answered", answer };
    });
  }

  publish({ topicType, topicSource, message, value }: EventToSend): Promise<void> {
    return this.#send(async (traceparent, signal) => {
      const cloudEvent = {
        ...{ specversion: "1.0", id: hex(16), type: topicType, source: topicSource, messagetype: message },
        ...{ traceparent, datacontenttype: "application/json", data: value },
      };
      const published = await api().ask<Published>("POST", "/v1/events", {
        headers: { "content-type": "application/cloudevents+json" },
        ...{ body: JSON.stringify(cloudEvent), signal },
      });
      return { at: "published", published };
    });
  }

  async #send(act: (traceparent: string, signal: AbortSignal) => Promise<Outcome>): Promise<void> {
    const ending = new AbortController();
    this.#ending = ending;
    const traceId = hex(16);
    [this.isUnderWay, this.outcome, this.traceId] = [true, undefined, ""];
    try {
      // The last part asks all on the way to record it.
      this.outcome = await act(`00-${traceId}-${hex(8)}-01`, ending.signal);
      this.traceId = traceId;
    } catch (error) {
      const code = error instanceof Problem ? error.code : "";
      this.outcome = ending.signal.aborted ? { at: "cancelled" } : { at: "failed", code, text: textOf(error) };
      // Of a message that the host has not taken there is no trace.
      const wasTaken = error instanceof Problem && (error.status >= 500 || error.status === 413);
      this.traceId = ending.signal.aborted || wasTaken ? traceId : "";
    }
    this.isUnderWay = false;
  }
}

function hex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
}
