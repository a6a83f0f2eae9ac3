import { randomUUID } from "node:crypto";
import {
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import {
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  encodeFrame,
  encodeGetSubscriptionsResponse,
  type WireEvent,
  type WireSubscription,
} from "../../../src/protocol/index.ts";
import { framed, messagesOf } from "../../conformance/support/grpc-framing.ts";
import { Inbox } from "../inbox.ts";

/** One worker's data channel. Its headers leave with its first message, as ASP.NET's do. */
interface Connection {
  readonly clientId: string;
  readonly stream: ServerHttp2Stream;
  hasHeaders: boolean;
}

interface Unary {
  readonly method: string;
  readonly clientId: string;
}

const kestrel = { ":status": 200, "content-type": "application/grpc", server: "Kestrel" } as const;

// protocol.md §7
/**
 * .NET's gateway as its code says. It forgets registrations that race the channel. It sends an event once for each agent type, and what
 * it sends again is empty. It gives subscriptions its own ids, and finds no agent for any call.
 */
export class DotnetGateway implements AsyncDisposable {
  /** Unary calls in the order they came, with `OpenChannel` among them. */
  readonly calls: Unary[] = [];
  /** Agent types that the gateway has acknowledged, and those that it knows. */
  readonly acknowledged = new Inbox<string>();
  readonly #types = new Map<string, Connection[]>();
  readonly #workers = new Map<string, Connection>();
  readonly #dangling = new Map<string, (() => void)[]>();
  readonly #subscriptions: WireSubscription[] = [];
  /** Published events by their source, for workers that subscribe to a topic of that name later. */
  readonly #kept = new Map<string, WireEvent[]>();
  readonly #server: Http2Server = createServer();
  readonly #sessions = new Set<Http2Session>();

  async listen(): Promise<this> {
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => undefined);
    });
    this.#server.on("stream", (stream, headers) => void this.#take(stream, headers));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has an address");
    return `127.0.0.1:${address.port}`;
  }

  /** Agent types that events can go to. */
  get types(): readonly string[] {
    return [...this.#types.keys()];
  }

  /** Ends all connections; the workers come back. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
    this.#sessions.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on("error", () => undefined);
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    const clientId = String(headers["client-id"]);
    this.calls.push({ method, clientId });
    if (method === "OpenChannel") return this.#openChannel(stream, clientId);
    if (method === "OpenControlChannel") return;
    if (method === "AreYouThere") return refuse(stream, 12, "Service is unimplemented.");
    const request = await messagesOf(stream).take();
    const answer = await this.#unary(method, clientId, request);
    if (stream.destroyed) return;
    stream.respond(kestrel, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(framed(answer));
  }

  async #openChannel(stream: ServerHttp2Stream, clientId: string): Promise<void> {
    const connection: Connection = { clientId, stream, hasHeaders: false };
    const inbox = messagesOf(stream);
    stream.once("close", () => this.#leave(connection));
    // It reads the headers first, on another thread than that of a registration beside it.
    await turn();
    this.#workers.set(clientId, connection);
    for (const action of this.#dangling.get(clientId) ?? []) action();
    this.#dangling.delete(clientId);
    for (;;) this.#onMessage(connection, await inbox.take());
  }

  async #unary(method: string, clientId: string, request: Uint8Array): Promise<Uint8Array> {
    switch (method) {
      case "RegisterAgent": {
        const type = decodeRegisterAgentRequest(request);
        this.acknowledged.put(type);
        const register = () => {
          const connection = this.#workers.get(clientId);
          if (connection !== undefined) this.#types.set(type, [...(this.#types.get(type) ?? []), connection]);
        };
        if (this.#workers.has(clientId)) register();
        else {
          // The channel may be entered meanwhile, and take up what waits for it: this registration then waits in vain.
          await turn();
          await turn();
          this.#dangling.set(clientId, [...(this.#dangling.get(clientId) ?? []), register]);
        }
        return new Uint8Array(0);
      }
      case "AddSubscription": {
        const { pattern } = decodeAddSubscriptionRequest(request);
        this.#subscriptions.push({ id: randomUUID(), pattern });
        const topic = pattern?.kind === "type" ? pattern.topicType : (pattern?.topicTypePrefix ?? "");
        for (const { id } of this.#kept.get(topic) ?? []) this.#sendToAll(id);
        this.#kept.delete(topic);
        return new Uint8Array(0);
      }
      case "RemoveSubscription": {
        const id = decodeRemoveSubscriptionRequest(request);
        const at = this.#subscriptions.findIndex((known) => known.id === id);
        if (at >= 0) this.#subscriptions.splice(at, 1);
        return new Uint8Array(0);
      }
      default:
        return encodeGetSubscriptionsResponse(this.#subscriptions);
    }
  }

  #onMessage(connection: Connection, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame.kind === "request") {
      const error = "Agent not found and no compatible gateways were found.";
      const { requestId } = frame;
      send(connection, encodeFrame({ kind: "response", requestId, payload: undefined, error, metadata: {} }));
    } else if (frame.kind === "event") this.#publish(frame.event, bytes);
  }

  /** Sends the event to each worker of each agent type that matches, and keeps it for later subscribers. */
  #publish(event: WireEvent, bytes: Uint8Array): void {
    const types = new Set<string>();
    for (const { pattern } of this.#subscriptions)
      if (pattern !== undefined && matches(pattern, event)) types.add(pattern.agentType);
    for (const type of types) for (const connection of this.#types.get(type) ?? []) send(connection, bytes);
    this.#kept.set(event.topicSource, [...(this.#kept.get(event.topicSource) ?? []), event]);
  }

  /** Sends an event again as it is after a grain: with its id alone. */
  #sendToAll(id: string): void {
    const idField = Buffer.concat([Buffer.of(0x0a, id.length), Buffer.from(id)]);
    for (const connection of this.#workers.values())
      send(connection, Buffer.concat([Buffer.of(0x1a, idField.length), idField]));
  }

  #leave(connection: Connection): void {
    if (this.#workers.get(connection.clientId) === connection) this.#workers.delete(connection.clientId);
    for (const [type, connections] of this.#types)
      this.#types.set(
        type,
        connections.filter((one) => one !== connection),
      );
  }
}

/** Exact types; a source that is a topic type; and prefixes the wrong way round. */
function matches(pattern: NonNullable<WireSubscription["pattern"]>, { topicType, topicSource }: WireEvent): boolean {
  if (pattern.kind === "prefix") return pattern.topicTypePrefix.startsWith(topicType);
  return [topicType, topicSource, `${topicType}.${topicSource}`].includes(pattern.topicType);
}

function send(connection: Connection, message: Uint8Array): void {
  if (connection.stream.destroyed) return;
  if (!connection.hasHeaders) connection.stream.respond(kestrel);
  connection.hasHeaders = true;
  connection.stream.write(framed(message));
}

function refuse(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.resume();
  stream.respond({ ...kestrel, "grpc-status": String(status), "grpc-message": text }, { endStream: true });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
