import type { MemoryAccount } from "../accounting/memory-account.ts";
import { toRpcStatus } from "../calls/call-errors.ts";
import { ServerCall, UnaryReceiver } from "../calls/server-call.ts";
import type { Metadata, StreamReceiver } from "../link.ts";
import { type RpcStatus, StatusCode } from "../rpc-status.ts";
import { MemoryCall, type MemoryCallOptions } from "./memory-call.ts";
import type { MemoryListening } from "./memory-listening.ts";

/** Callbacks for the client's end of a connection. */
export interface MemoryConnectionEvents {
  /** The server takes no new calls; running calls continue. */
  readonly onLeaving: (reason: string) => void;
  readonly onClosed: (reason: string) => void;
}

export interface MemoryConnectionOptions extends Omit<MemoryCallOptions, "onClosed">, MemoryConnectionEvents {
  readonly peer: string;
}

/** One client's connection to a listening server, with its calls. */
export class MemoryConnection {
  readonly #listening: MemoryListening;
  readonly #options: MemoryConnectionOptions;
  readonly #calls = new Set<MemoryCall>();
  readonly #account: MemoryAccount;
  #isClosing = false;
  #isClosed = false;

  constructor(listening: MemoryListening, options: MemoryConnectionOptions) {
    this.#listening = listening;
    this.#options = options;
    this.#account = listening.accountant.openAccount({
      ...{ party: "memory", name: `connection ${options.peer}` },
      giveWay: (reason) => options.schedule(() => this.cut(reason)),
    });
    listening.join(this);
  }

  openCall(path: string, metadata: Metadata, receiver: StreamReceiver): MemoryCall {
    const call = new MemoryCall(receiver, { ...this.#options, onClosed: () => this.#forget(call) });
    this.#calls.add(call);
    this.#options.schedule(() => this.#accept(call, path, metadata));
    return call;
  }

  /** Refuses new calls and closes when the last call ends. */
  goAway(): void {
    this.#isClosing = true;
    this.#options.onLeaving(this.#shuttingDown());
    this.#closeIfIdle();
  }

  /** Ends every call and the connection. */
  cut(reason: string): void {
    for (const call of this.#calls) call.lose(reason, reason);
    this.#close(reason);
  }

  /** Closes the connection for the client: its calls end as cancelled. */
  leave(reason: string): void {
    for (const call of this.#calls) call.client.cancel();
    this.#close(reason);
  }

  #accept(call: MemoryCall, path: string, metadata: Metadata): void {
    if (this.#isClosed) return;
    if (this.#isClosing) call.finishNow({ code: StatusCode.unavailable, details: this.#shuttingDown() }, "local");
    else this.#serve(call, path, metadata);
  }

  #serve(call: MemoryCall, path: string, metadata: Metadata): void {
    const slash = path.lastIndexOf("/");
    const method = path.slice(slash + 1);
    const service = this.#listening.services.get(path.slice(1, slash));
    const serverCall = new ServerCall(method, metadata, { peer: this.#options.peer, account: this.#account });
    try {
      if (service?.unaryMethods.has(method) === true) call.accept(new UnaryReceiver(service, serverCall), serverCall);
      else if (service?.streamMethods.has(method) === true) call.accept(service.stream(serverCall), serverCall);
      else call.finishNow(methodNotFound(path));
    } catch (error) {
      call.finishNow(toRpcStatus(error));
    }
  }

  #forget(call: MemoryCall): void {
    this.#calls.delete(call);
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#isClosing && this.#calls.size === 0) this.#close(this.#shuttingDown());
  }

  #close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#account.close();
    this.#listening.forget(this);
    this.#options.onClosed(reason);
  }

  #shuttingDown(): string {
    return `${this.#listening.address} is shutting down and takes no new calls.`;
  }
}

function methodNotFound(path: string): RpcStatus {
  return { code: StatusCode.unimplemented, details: `Method not found: ${path}` };
}
