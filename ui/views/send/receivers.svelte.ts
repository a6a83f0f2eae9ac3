import type { MessagesAnswer, PermissionAnswer, TopicRow } from "../../../src/admin/internal.ts";
import { Problem, textOf } from "../../asking/api.ts";
import { api } from "../../asking/login.svelte.ts";

type Message = MessagesAnswer["messages"][number];

/** Agent types that are asked for the messages of a topic, and milliseconds after the last key until the host is asked. */
const mostTypes = 5;
const quietMs = 250;

/** The receivers of a message: agents of a type, or those that subscribe to a topic. */
export interface Aim {
  readonly action: "call" | "publish";
  /** The agent type, or the topic type. */
  readonly name: string;
}

/** Asks which messages the receivers take, and whether this operator may send to them. Call it while a component is made. */
export class Receivers {
  messages: readonly Message[] = $state.raw([]);
  /** The reason why `messages` is empty. */
  why: string = $state("");
  /** The reason why the operator may not send. Empty: the operator may, or it is not known yet. */
  denied: string = $state("");

  constructor(aim: () => Aim) {
    $effect(() => {
      const { action, name } = aim();
      const ending = new AbortController();
      [this.messages, this.why, this.denied] = [[], "", ""];
      const timer = setTimeout(() => void this.#ask({ action, name }, ending.signal), name === "" ? 0 : quietMs);
      return () => {
        clearTimeout(timer);
        ending.abort();
      };
    });
  }

  async #ask(aim: Aim, signal: AbortSignal): Promise<void> {
    if (aim.name === "") return;
    try {
      const { why } = await api().get<PermissionAnswer>("/v1/permission", { ...aim }, signal);
      this.denied = why ?? "";
      if (why !== null) return;
      const told = await Promise.all((await this.#typesOf(aim, signal)).map((type) => messagesOf(type, signal)));
      const wanted = aim.action === "call" ? "call" : "event";
      const all = told
        .flatMap(({ messages }) => messages)
        .filter(({ takes }) => takes === wanted || takes === "message");
      // Several agent types may take the same message.
      this.messages = [...new Map(all.map((message) => [message.name, message])).values()];
      this.why = this.messages.length > 0 ? "" : (told.find(({ why: text }) => text !== null)?.why ?? noneText(aim));
    } catch (error) {
      if (!signal.aborted) this.why = textOf(error);
    }
  }

  async #typesOf({ action, name }: Aim, signal: AbortSignal): Promise<readonly string[]> {
    if (action === "call") return [name];
    const parameters = { reachedBy: name, limit: 100 };
    const { rows } = await api().get<{ readonly rows: readonly TopicRow[] }>("/v1/topics", parameters, signal);
    return [...new Set(rows.map(({ type }) => type))].slice(0, mostTypes);
  }
}

async function messagesOf(type: string, signal: AbortSignal): Promise<MessagesAnswer> {
  try {
    return await api().get<MessagesAnswer>("/v1/messages", { type }, signal);
  } catch (error) {
    // A subscriber that this operator may not see.
    if (error instanceof Problem && error.status === 403) return { type, why: error.message, messages: [] };
    throw error;
  }
}

function noneText({ action }: Aim): string {
  return action === "call"
    ? "Its worker declares no calls."
    : "No worker that subscribes to this topic declares its messages.";
}
