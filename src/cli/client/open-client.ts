import { errorText, type Logger, loggableText, TroupeError } from "../../core/internal.ts";
import type { WorkerRuntime } from "../../worker/internal.ts";
import { exitCodes } from "../exit-codes.ts";
import { type ClientFlags, dialerOptionsOf, shownToHost } from "./client-flags.ts";
import { tlsAdvice } from "./tls-advice.ts";

/** The command prints errors itself. */
const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** An error with the exit code of the command. */
export class ClientError extends TroupeError {
  override readonly name = "ClientError";
  readonly exitCode: number;

  constructor(error: TroupeError, exitCode: number, text = error.message) {
    super(error.code, text, { cause: error });
    this.exitCode = exitCode;
  }
}

/** Milliseconds that a host has to take a connection. */
const startTimeoutMs = 10_000;

/**
 * Connects to the host as a worker that serves nothing yet: rules and quotas count for what it sends. `comesBack`: it dials again when its connection
 * ends, and follows its host to another one of a cluster. Rejects with a `ClientError` if the host can't be reached or
 * refuses.
 */
export async function openClient(
  flags: ClientFlags,
  { comesBack = false }: { readonly comesBack?: boolean } = {},
): Promise<WorkerRuntime> {
  const options = dialerOptionsOf(flags);
  const [{ WorkerRuntime }, { grpcDialer }] = await Promise.all([
    import("../../worker/internal.ts"),
    import("../../transport/internal.ts"),
  ]);
  const client = new WorkerRuntime({
    ...{ dialer: grpcDialer({ ...options, connectTimeoutMs: startTimeoutMs }), address: flags.address },
    ...{
      startTimeoutMs,
      ...(!comesBack && { reconnect: false as const }),
      controlChannel: "when-needed",
      logger: silent,
    },
  });
  try {
    await client.start();
  } catch (error) {
    throw connectFailure(error, flags);
  }
  return client;
}

function connectFailure(error: unknown, flags: ClientFlags): ClientError {
  const { address } = flags;
  const failure = TroupeError.from(error);
  const text = loggableText(errorText(failure));
  if (failure.code === "not-authorized")
    return new ClientError(
      failure,
      exitCodes.refused,
      `The host at ${loggableText(address)} refuses this command: ${text}`,
    );
  const flagsToUse = tlsAdvice(text, shownToHost(flags));
  const advice = `${flagsToUse === undefined ? "" : `${flagsToUse} `}See what is wrong with troupe doctor.`;
  return new ClientError(
    failure,
    exitCodes.noHost,
    `The host at ${loggableText(address)} can't be used: ${text} ${advice}`,
  );
}

/** Says with which exit code a message has failed. */
export function messageFailure(error: unknown): ClientError {
  const failure = TroupeError.from(error);
  return new ClientError(failure, exitCodeOf(failure), `${loggableText(errorText(failure))} (${failure.code})`);
}

function exitCodeOf({ code }: TroupeError): number {
  switch (code) {
    case "timed-out":
      return exitCodes.timedOut;
    case "not-authorized":
    case "overloaded":
    case "mailbox-full":
    case "message-too-large":
    case "shutting-down":
      return exitCodes.refused;
    case "undeliverable":
      return exitCodes.noWorker;
    case "disconnected":
      return exitCodes.noHost;
    case "handler-failed":
    case "cant-handle":
    case "unexpected-answer":
    case "invalid-message":
    case "loop-detected":
    case "deadlock":
    case "state-conflict":
    case "state-unavailable":
    case "state-unknown":
    case "state-unreadable":
    case "state-too-new":
    case "state-too-large":
    case "invalid-state":
    case "too-many-takeovers":
    case "tool-not-found":
    case "invalid-tool-arguments":
    case "tool-failed":
      return exitCodes.handlerFailed;
    default:
      return exitCodes.failed;
  }
}
