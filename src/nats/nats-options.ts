import {
  assertArgument,
  assertOptions,
  type Clock,
  clock as clockKind,
  type Logger,
  logger as loggerKind,
  number,
  type OptionKind,
  type OptionKinds,
  optionShape,
  options as optionsOf,
  TroupeError,
  text,
} from "../core/internal.ts";

/** TLS towards NATS servers. Texts are PEM; files are read anew at each connection. */
export interface NatsTlsOptions {
  /** Certificates of the authorities to trust. Default: those of Node. */
  readonly ca?: string | undefined;
  readonly caFile?: string | undefined;
  /** The certificate of this client, where the servers ask for one. */
  readonly cert?: string | undefined;
  readonly certFile?: string | undefined;
  readonly key?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Options with which Troupe opens what a cluster has in NATS. */
export interface NatsStoreOptions {
  /** Names the cluster: `a-z`, `0-9` and `-`, at most 32. Several clusters may share NATS servers. Default: `troupe`. */
  readonly clusterName?: string | undefined;
  /** Copies of each entry when the store is made: 1, 3 or 5. Default: 3 if the NATS servers are a cluster, else 1. */
  readonly replicas?: number | undefined;
  /** The text of a credentials file (`.creds`). */
  readonly credentials?: string | undefined;
  /** The seed of a NATS key pair, `SU…`. */
  readonly nkeySeed?: string | undefined;
  /** A user and a password, or a token, may also stand in the address of the first server. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** Default: TLS if an address begins with `tls://`, or if the server asks for it. */
  readonly tls?: NatsTlsOptions | undefined;
  /** Milliseconds that the servers have to be reached, and to have a leader, until the opening fails. Default: 15 000. */
  readonly openTimeoutMs?: number | undefined;
  /** Takes warnings about the servers, and failures. Default: no log. */
  readonly logger?: Logger | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Options of `openNatsLog`. */
export interface NatsLogOptions extends NatsStoreOptions {
  /**
   * Bytes of all mail when the log is made. Where the servers have less space, it is made with less. The mail of one agent type has at most two
   * thirds of it. Default: 10 GiB.
   */
  readonly maxMailBytes?: number | undefined;
  /** Messages of one mailbox when the log is made. Default: 10 000. */
  readonly maxMailboxMessages?: number | undefined;
  /**
   * Bytes of one mailbox. Set the same at all hosts. Each message counts as the servers store it: its own bytes, and about 300 for its names. A
   * mailbox may have more for a second or two, since hosts tell each other what they count. Default: 64 MiB.
   */
  readonly maxMailboxBytes?: number | undefined;
}

const tls = optionsOf<NatsTlsOptions>({
  ca: text,
  caFile: text,
  cert: text,
  certFile: text,
  key: text,
  keyFile: text,
});
const clusterNameKind: OptionKind = {
  expected: "a text of a-z, 0-9 and -, of at most 32 characters",
  accepts: (value) => typeof value === "string" && /^[a-z0-9-]{1,32}$/.test(value),
};
const replicasKind: OptionKind = {
  expected: "1, 3 or 5",
  accepts: (value) => value === 1 || value === 3 || value === 5,
};
const kinds: OptionKinds<NatsStoreOptions> = {
  clusterName: clusterNameKind,
  replicas: replicasKind,
  credentials: text,
  nkeySeed: text,
  user: text,
  password: text,
  token: text,
  tls,
  openTimeoutMs: number({ from: 1 }),
  logger: loggerKind,
  clock: clockKind,
};
const storeShape = optionShape<NatsStoreOptions>(kinds);
const logShape = optionShape<NatsLogOptions>({
  ...kinds,
  maxMailBytes: number({ from: 1 }),
  maxMailboxMessages: number({ from: 1 }),
  maxMailboxBytes: number({ from: 1 }),
});

/** Servers of NATS, and how to log in there. */
export interface NatsServers {
  /** Each `host:port`. */
  readonly addresses: readonly string[];
  readonly usesTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

const serversKind: OptionKind = {
  expected: 'a text such as "nats://127.0.0.1:4222", or a list of such texts',
  accepts: (value) => typeof value === "string" || Array.isArray(value),
};
const portNumber = number({ from: 1, to: 65_535 });

/** Checks the options of `openNatsStore`. Throws `invalid-argument`. */
export function assertStoreOptions(options: NatsStoreOptions): void {
  assertOptions(options, storeShape, "openNatsStore");
}

/** Checks the options of `openNatsLog`. Throws `invalid-argument`. */
export function assertLogOptions(options: NatsLogOptions): void {
  assertOptions(options, logShape, "openNatsLog");
}

/**
 * Reads addresses of servers: `nats://user:password@n1:4222,n2,n3`, or a list of such texts. The port is 4222 where none is named. Throws
 * `invalid-argument`; the text does not repeat a password.
 */
export function readServers(given: string | readonly string[]): NatsServers {
  assertArgument(given, "The address of NATS", serversKind);
  const texts = (typeof given === "string" ? [given] : [...given]).flatMap((each) => splitList(each));
  if (texts.length === 0) throw new TroupeError("invalid-argument", "NATS needs the address of a server.");
  const parsed = texts.map((each) => readServer(each));
  const login = parsed.find(({ user, token }) => user !== undefined || token !== undefined);
  return {
    addresses: parsed.map(({ address }) => address),
    usesTls: parsed.some(({ usesTls }) => usesTls),
    user: login?.user,
    password: login?.password,
    token: login?.token,
  };
}

function splitList(given: unknown): readonly string[] {
  assertArgument(given, "The address of a NATS server", {
    expected: 'a text such as "nats://127.0.0.1:4222"',
    accepts: (value) => typeof value === "string" && value.trim() !== "",
  });
  const texts = (given as string).split(",").map((each) => each.trim());
  const [first = ""] = texts;
  const scheme = /^([a-z]+):\/\//.exec(first)?.[0] ?? "";
  // The scheme of the first counts for those behind it that name none: nats://n1,n2,n3.
  return texts.map((each) => (each.includes("://") ? each : `${scheme}${each}`));
}

function readServer(given: string): {
  readonly address: string;
  readonly usesTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
} {
  const [, scheme = "nats", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(given) ?? [];
  const place = rest.slice(rest.lastIndexOf("@") + 1);
  const login = rest.includes("@") ? rest.slice(0, rest.lastIndexOf("@")) : undefined;
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/.exec(place) ?? [];
  const host = bracketed === undefined ? plain : `[${bracketed}]`;
  const isKnown = scheme === "nats" || scheme === "tls";
  if (!isKnown || host === undefined || (port !== undefined && !portNumber.accepts(Number(port)))) {
    const shown = JSON.stringify(place.slice(0, 100));
    const text = `The address of a NATS server is nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ or TOKEN@ before HOST if needed. Correct ${shown}.`;
    throw new TroupeError("invalid-argument", text);
  }
  const address = `${host}:${port ?? "4222"}`;
  const usesTls = scheme === "tls";
  if (login === undefined) return { address, usesTls, user: undefined, password: undefined, token: undefined };
  const colon = login.indexOf(":");
  if (colon < 0) return { address, usesTls, user: undefined, password: undefined, token: decoded(login) };
  const [user, password] = [decoded(login.slice(0, colon)), decoded(login.slice(colon + 1))];
  return { address, usesTls, user, password, token: undefined };
}

function decoded(given: string): string {
  try {
    return decodeURIComponent(given);
  } catch {
    throw new TroupeError(
      "invalid-argument",
      "The login in the address of a NATS server is not percent-encoded right.",
    );
  }
}
