import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { errorText, loggableText, TroupeError } from "../../core/internal.ts";
import { isLoopbackName } from "../../http/internal.ts";
import { AdminClient, HostGoneError } from "./admin-client.ts";
import { type AdminFile, adminFilesIn, dataFolder, mayLive, readAdminFile } from "./admin-file.ts";

/** Flags that pick a host. */
export interface HostChoice {
  readonly name?: string;
  readonly adminFile?: string;
  readonly admin?: string;
  readonly tokenFile?: string;
}

/** Adds the flags that pick a host. */
export function addHostChoice(command: Command): Command {
  return command
    .option("--name <name>", `the host of this name, among those with a file in ${dataFolder}`)
    .option("--admin-file <file>", `the file that the host has written (default: ${dataFolder}/admin.json)`)
    .option("--admin <url>", "the admin entry itself, http://127.0.0.1:PORT; needs --token-file")
    .option("--token-file <file>", "file with the token of --admin");
}

/** Milliseconds that a host has to say that it lives. */
const probeMs = 2_000;

/** Whether the flags pick a host. */
export function isChosen({ name, adminFile, admin }: HostChoice): boolean {
  return name !== undefined || adminFile !== undefined || admin !== undefined;
}

/** Finds the host that the flags pick, else the first that answers. Rejects with a `HostGoneError` that says what to do. */
export async function findHost(choice: HostChoice, folder: string = dataFolder): Promise<AdminClient> {
  const { admin, tokenFile, adminFile, name } = choice;
  if (admin !== undefined) return clientAt(admin, tokenFile);
  if (tokenFile !== undefined)
    throw new TroupeError("invalid-argument", "--token-file needs --admin http://127.0.0.1:PORT.");
  if (adminFile !== undefined) return clientOf(adminFile);
  const files = adminFilesIn(folder).flatMap((file) => readAdminFile(file) ?? []);
  const named = name === undefined ? files : files.filter((file) => file.name === name);
  for (const file of named) {
    const client = await living(file);
    if (client !== undefined) return client;
  }
  const which = name === undefined ? "No host answers here" : `No host of the name ${loggableText(name)} answers here`;
  const text = `${which}: ${loggableText(folder)} has ${named.length === 0 ? "no such admin file" : "only files of hosts that are dead or do not answer"}.`;
  const advice = "Run the command in the folder of troupe host, or name its file with --admin-file";
  throw new HostGoneError(`${text} ${advice}: admin.json, beside the SQLite file of its --state.`);
}

/** Finds a living host that keeps this state store. Undefined: there is none in the folder. */
export async function findHolder(state: string, folder: string): Promise<AdminClient | undefined> {
  for (const file of adminFilesIn(folder)) {
    const content = readAdminFile(file);
    if (content?.state === state) {
      const client = await living(content);
      if (client !== undefined) return client;
    }
  }
  return undefined;
}

/** A client of the host that wrote the file; undefined: that host is dead. */
export async function living(file: AdminFile): Promise<AdminClient | undefined> {
  if (!mayLive(file) || !isLoopbackUrl(file.url)) return undefined;
  const client = new AdminClient(file);
  try {
    const { pid } = await client.ask<{ readonly pid: number }>("GET", "/v1/host", {}, { timeoutMs: probeMs });
    return pid === file.pid ? client : undefined;
  } catch {
    // Another program has the port by now.
    return undefined;
  }
}

async function clientOf(file: string): Promise<AdminClient> {
  const content = readAdminFile(file);
  if (content === undefined) {
    throw new HostGoneError(
      `There is no admin file ${loggableText(file)}. Start the host with --admin-file, or correct the name.`,
    );
  }
  const client = await living(content);
  if (client !== undefined) return client;
  throw new HostGoneError(
    `The host that wrote ${loggableText(file)} is dead or does not answer. Start it again; if its process ${content.pid} still runs, end that first.`,
  );
}

function clientAt(url: string, tokenFile: string | undefined): AdminClient {
  if (!isLoopbackUrl(url)) {
    const text = `--admin takes http://127.0.0.1:PORT, not ${loggableText(url)}: without TLS the token must not leave this machine.`;
    throw new TroupeError("invalid-argument", text);
  }
  if (tokenFile === undefined)
    throw new TroupeError("invalid-argument", "--admin needs --token-file FILE with the token.");
  try {
    return new AdminClient({ url, token: readFileSync(tokenFile, "utf8").trim() });
  } catch (cause) {
    const text = `--token-file ${loggableText(tokenFile)} can't be read: ${loggableText(errorText(cause))}`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

function isLoopbackUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && isLoopbackName(hostname.replace(/^\[|\]$/g, ""));
}
