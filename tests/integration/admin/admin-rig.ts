import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminEntry, type OpenAddress } from "../../../src/admin/internal.ts";
import type { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { writeAdminFile } from "../../../src/cli/admin/admin-file.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { Host, operationsOf } from "../../../src/host/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork, type Dialer, type Link } from "../../../src/transport/index.ts";
import { CheckedAdminClient } from "../../support/checked-admin-client.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** The admin entry of a host in this process, and the file by which commands find it. */
export class EntryRig implements AsyncDisposable {
  readonly entry: AdminEntry;
  /** Holds each answer to the description of the entry. */
  readonly client: AdminClient;
  readonly logger: RecordingLogger;
  /** Flags by which a command finds the host. */
  readonly flags: readonly string[];
  readonly folder: string;

  private constructor(parts: Pick<EntryRig, "entry" | "client" | "logger" | "flags" | "folder">) {
    this.entry = parts.entry;
    this.client = parts.client;
    this.logger = parts.logger;
    this.flags = parts.flags;
    this.folder = parts.folder;
  }

  /** `open`: an address for principals beside the one of this machine. `pageFolder`: the built page. */
  static async open(
    host: Host,
    { open, pageFolder }: { readonly open?: OpenAddress; readonly pageFolder?: URL } = {},
  ): Promise<EntryRig> {
    const logger = new RecordingLogger();
    const token = "rig-token";
    const facts = {
      name: "rig",
      version: "1.2.3",
      pid: process.pid,
      address: host.address,
      state: "memory:",
      startedAt: new Date().toISOString(),
    };
    const address = { host: "127.0.0.1", port: 0 };
    const parts = { host: operationsOf(host.servicer), facts, address, logger };
    const entry = await AdminEntry.open({
      ...parts,
      token,
      open,
      pageFolder,
      configuration: { callTimeoutMs: 300_000 },
    });
    const folder = mkdtempSync(join(tmpdir(), "troupe-admin-"));
    const file = join(folder, "admin.json");
    writeAdminFile(file, { url: entry.url, ...facts, token });
    writeFileSync(join(folder, "token"), `${token}\n`);
    const client = new CheckedAdminClient({ url: entry.url, token });
    return new EntryRig({ entry, client, logger, folder, flags: ["--admin-file", file] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.entry.close(0);
    rmSync(this.folder, { recursive: true });
  }
}

/** A host in this process with its admin entry. */
export class AdminRig implements AsyncDisposable {
  readonly host: Host;
  readonly store: MemoryStateStore;
  readonly dialer: Dialer;
  readonly entry: AdminEntry;
  readonly client: AdminClient;
  readonly logger: RecordingLogger;
  readonly flags: readonly string[];
  readonly folder: string;
  readonly #opened: EntryRig;

  private constructor(parts: Pick<AdminRig, "host" | "store" | "dialer">, opened: EntryRig) {
    this.host = parts.host;
    this.store = parts.store;
    this.dialer = parts.dialer;
    this.entry = opened.entry;
    this.client = opened.client;
    this.logger = opened.logger;
    this.flags = opened.flags;
    this.folder = opened.folder;
    this.#opened = opened;
  }

  /** `entry`: how its admin entry is opened. */
  static async open(
    options: HostOptions = {},
    entry: { readonly open?: OpenAddress; readonly pageFolder?: URL } = {},
  ): Promise<AdminRig> {
    const network = createMemoryNetwork();
    const store = new MemoryStateStore(options.clock === undefined ? {} : { clock: options.clock });
    const host = new Host({ listener: network, address: "host:1" }, { stateStore: store, ...options });
    await host.start();
    return new AdminRig({ host, store, dialer: network }, await EntryRig.open(host, entry));
  }

  dial(): Link {
    return this.dialer.dial("host:1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.entry.close(0);
    await this.host.stop({ graceMs: 0 });
    await this.#opened[Symbol.asyncDispose]();
  }
}
