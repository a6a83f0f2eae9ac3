import { dirname } from "node:path";
import {
  deleteState,
  type ListedRow,
  listStates,
  type NewState,
  putState,
  type ShownState,
  showState,
} from "../../admin/internal.ts";
import { type AgentName, type StateStore, StoreError, TroupeError } from "../../core/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { dataFolder } from "../admin/admin-file.ts";
import { findHolder, findHost, type HostChoice, isChosen } from "../admin/find-host.ts";
import { readList } from "../printing.ts";
import { formatLocation, openState, type StateLocation, withAdvice } from "./state-location.ts";

export interface ListQuery {
  readonly type: string | undefined;
  readonly prefix: string | undefined;
  readonly limit: number;
}

/** States of agents, in a store that this process opens or at the host that holds it. */
export interface StateAccess extends AsyncDisposable {
  list(query: ListQuery): Promise<readonly ListedRow[]>;
  show(agent: AgentName): Promise<ShownState>;
  put(agent: AgentName, state: NewState): Promise<string>;
  delete(agent: AgentName): Promise<void>;
}

/** Reads the store itself, which works beside a host. It asks a host that the flags pick, and the holder of a store in memory. */
export async function openForReading(location: StateLocation, choice: HostChoice): Promise<StateAccess> {
  if (isChosen(choice) || location.kind === "memory") return new HostStates(await findHost(choice));
  return new StoreStates(await openState(location, { creates: false, thread: false, readOnly: true }));
}

/** Opens a store that no host holds. Else it asks the host that holds it. */
export async function openForWriting(location: StateLocation, choice: HostChoice): Promise<StateAccess> {
  if (isChosen(choice) || location.kind === "memory") return new HostStates(await findHost(choice));
  const store = await openState(location, { creates: false, thread: false });
  try {
    await store.open();
    return new StoreStates(store);
  } catch (error) {
    await store.close();
    if (!(error instanceof StoreError) || error.storeCode !== "in-use") throw withAdvice(error, { inUse: "" });
    const folder = location.kind === "sqlite" ? dirname(location.file) : dataFolder;
    const holder = await findHolder(formatLocation(location), folder);
    if (holder !== undefined) return new HostStates(holder);
    throw withAdvice(error, {
      inUse: "No host answers for it here: name the host with --admin-file, or use a store that no host holds.",
    });
  }
}

/** Rows that a store is asked for at once. */
const pageRows = 10_000;

class StoreStates implements StateAccess {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  async list({ type, prefix, limit }: ListQuery): Promise<readonly ListedRow[]> {
    const found: ListedRow[] = [];
    let after: AgentName | undefined;
    do {
      const query = { type, prefix, after, limit: Math.min(limit - found.length, pageRows) };
      const { rows, next } = await listStates(this.#store, query);
      found.push(...rows);
      after = next;
    } while (after !== undefined && found.length < limit);
    return found;
  }

  show(agent: AgentName): Promise<ShownState> {
    return showState(this.#store, agent);
  }

  put(agent: AgentName, state: NewState): Promise<string> {
    return putState(this.#store, agent, state);
  }

  delete(agent: AgentName): Promise<void> {
    return deleteState(this.#store, agent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }
}

class HostStates implements StateAccess {
  readonly #client: AdminClient;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  async list({ type, prefix, limit }: ListQuery): Promise<readonly ListedRow[]> {
    return (await readList<ListedRow>(this.#client, "/v1/states", { type, prefix }, { limit })).rows;
  }

  show(agent: AgentName): Promise<ShownState> {
    return this.#client.ask("GET", "/v1/state", { ...agent });
  }

  async put(agent: AgentName, { data, contentType, schemaVersion }: NewState): Promise<string> {
    const parameters = { ...agent, contentType, schemaVersion };
    const { eTag } = await this.#client.ask<{ readonly eTag: string }>("PUT", "/v1/state", parameters, { body: data });
    return eTag;
  }

  async delete(agent: AgentName): Promise<void> {
    await this.#client.ask("DELETE", "/v1/state", { ...agent });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each question has a connection of its own.
  }
}

/** The file of a SQLite store. Throws `invalid-argument` for another store. */
export function fileOf(location: StateLocation, advice: string): string {
  if (location.kind === "sqlite") return location.file;
  throw new TroupeError("invalid-argument", `This command is for SQLite stores. ${advice}`);
}
