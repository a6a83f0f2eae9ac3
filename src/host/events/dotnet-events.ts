import { decodeFrame, type PeekedEvent } from "../../protocol/internal.ts";
import { isPortableKey } from "../sessions/dotnet-worker.ts";

// protocol.md §7
/**
 * Which events workers of .NET's can read. Their reader ends on an event without `proto_data` or without the attribute `dataschema`,
 * and on a source that can't be an agent's key. Each event is judged once, however many such workers it goes to.
 */
export class DotnetEvents {
  readonly #judged = new WeakMap<PeekedEvent, boolean>();

  canRead(event: PeekedEvent): boolean {
    let canRead = this.#judged.get(event);
    if (canRead === undefined) {
      canRead = event.hasProtoData && isPortable(event.bytes);
      this.#judged.set(event, canRead);
    }
    return canRead;
  }
}

function isPortable(bytes: Uint8Array): boolean {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "event" || frame.event.payload.typeName === "") return false;
    // The worker makes an agent's key of the source.
    return isPortableKey(frame.event.topicSource);
  } catch {
    return false;
  }
}
