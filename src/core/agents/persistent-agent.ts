import type { PublishOptions, TellOptions } from "../agent-runtime.ts";
import type { ReminderOptions, When } from "../courier/reminders/when.ts";
import { TroupeError } from "../errors.ts";
import type { Sendable } from "../serialization/sendable.ts";
import type { StateDefinition } from "../state/define-state.ts";
import { type TurnEffects, turnEffects } from "../state/effects.ts";
import { stateOfValue, textOfState } from "../state/state-codec.ts";
import { StateSlot, slotKey } from "../state/state-slot.ts";
import type { TopicId } from "../topics/topic-id.ts";
import { wrongValue } from "../validation/option-values.ts";
import type { AgentState, ClassOf } from "./agent.ts";
import type { AgentId } from "./agent-id.ts";
import { BaseAgent } from "./base-agent.ts";
import { RoutedAgent } from "./routed-agent.ts";
import type { AgentConcurrency } from "./turns.ts";

/** The part of an agent that `persistentAgent` adds. */
export interface PersistentAgent<T extends object> {
  /**
   * The agent's state. Read it and change it as any object, or replace it. The runtime saves it before the answer of a turn leaves, if it
   * has changed. Throws `wrong-state` before it is loaded: in the constructor and in the factory.
   */
  state: T;
  /**
   * Commits now: the state as it stands, and the effects so far. A later failure of the same turn goes back to here. Rejects when it is
   * not written, and with `wrong-state` in a `readOnly` handler.
   */
  saveNow(): Promise<void>;
  /** Deletes the state and the reminders when this turn ends, and ends the activation. A turn that fails deletes nothing. */
  destroySelf(): void;
}

/** The members of the class itself, without its constructor. */
type Statics<Class> = { [Name in keyof Class]: Class[Name] };

/** A class of agents that keep a state of type `T`. */
export type PersistentAgentClass<T extends object, Base extends ClassOf<BaseAgent>> = Statics<Base> &
  (abstract new (
    ...args: ConstructorParameters<Base>
  ) => InstanceType<Base> & PersistentAgent<T>);

/** Key under which a class of persistent agents has its definition. Copies of the package share it. */
const definitionKey = Symbol.for("troupe.stateDefinition");

/** Returns the state's definition of a class; undefined for a class whose agents keep none. */
export function definitionOf(agentClass: unknown): StateDefinition<object> | undefined {
  if (typeof agentClass !== "function") return undefined;
  // Only classes of `persistentAgent` have this property, and it is nothing else.
  return Reflect.get(agentClass, definitionKey) as StateDefinition<object> | undefined;
}

/**
 * Returns a class to extend, whose agents keep the declared state. `base`: an agent class of your own. Default: `RoutedAgent`. Its agents
 * are sequential, unless the class or its registration says otherwise; interleaved ones must be saved by hand (`save: "manual"`).
 *
 * A handler that throws changes nothing: its state and its effects go back to the last commit. Effects are the events, told messages
 * and reminders of a turn. They leave when the state is written.
 *
 * @example
 * ```ts
 * class Counter extends persistentAgent(Count) {
 *   static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
 *     this.state.total += value;
 *     return Total({ value: this.state.total });
 *   });
 * }
 * ```
 */
export function persistentAgent<T extends object>(
  definition: StateDefinition<T>,
): PersistentAgentClass<T, typeof RoutedAgent>;
export function persistentAgent<T extends object, Base extends ClassOf<BaseAgent>>(
  definition: StateDefinition<T>,
  base: Base,
): PersistentAgentClass<T, Base>;
export function persistentAgent<T extends object>(
  definition: StateDefinition<T>,
  base: ClassOf<BaseAgent> = RoutedAgent,
): unknown {
  if (typeof definition !== "object" || definition === null || !("schema" in definition)) {
    throw wrongValue("persistentAgent needs what defineState returns", definition);
  }
  if (typeof base !== "function" || !(base.prototype instanceof BaseAgent)) {
    throw wrongValue("The base of persistentAgent must be an agent class, such as RoutedAgent", base);
  }
  if (definitionOf(base) !== undefined) {
    throw new TroupeError(
      "invalid-argument",
      `The class ${base.name} has a state already. Extend it without persistentAgent, or put both states into one definition.`,
    );
  }
  // A class of any constructor; TypeScript lets a class extend only one that it knows.
  const Base = base as typeof BaseAgent;
  const ownsState = base.prototype.saveState !== BaseAgent.prototype.saveState;

  abstract class Persistent extends Base implements PersistentAgent<T> {
    static override readonly concurrency: AgentConcurrency | undefined = Base.concurrency ?? "sequential";

    readonly [slotKey] = new StateSlot(definition);

    get state(): T {
      return this[slotKey].state;
    }

    set state(state: T) {
      this[slotKey].state = state;
    }

    get [turnEffects](): TurnEffects | undefined {
      return this[slotKey].turnEffects;
    }

    async saveNow(): Promise<void> {
      const slot = this[slotKey];
      // Beside a turn that writes, the caller may be that turn.
      if (slot.isReading && !slot.isWriting) {
        const text = `saveNow works in a handler that is not readOnly. ${this.id} has saved nothing: declare the handler without readOnly.`;
        throw new TroupeError("wrong-state", text);
      }
      await slot.saveNow();
    }

    destroySelf(): void {
      const slot = this[slotKey];
      if (!slot.isWriting) {
        throw new TroupeError("wrong-state", "destroySelf works in a turn: in a handler that is not readOnly.");
      }
      slot.isDestroying = true;
    }

    override async publishMessage<Message>(
      message: Sendable<Message>,
      topicId: TopicId,
      options?: Omit<PublishOptions, "sender">,
    ): Promise<void> {
      if (options?.immediately !== true) assertNotLost(this[slotKey]);
      return super.publishMessage<Message>(message, topicId, options);
    }

    override async tell<Message>(
      message: Sendable<Message>,
      recipient: AgentId,
      options?: Omit<TellOptions, "sender">,
    ): Promise<void> {
      assertNotLost(this[slotKey]);
      return super.tell<Message>(message, recipient, options);
    }

    override async remindMe<Message>(
      name: string,
      when: When,
      message: Sendable<Message>,
      options?: ReminderOptions,
    ): Promise<void> {
      assertNotLost(this[slotKey]);
      return super.remindMe<Message>(name, when, message, options);
    }

    override async cancelReminder(name: string): Promise<void> {
      assertNotLost(this[slotKey]);
      return super.cancelReminder(name);
    }

    override saveState(): AgentState | Promise<AgentState> {
      if (ownsState) return super.saveState();
      return { version: definition.version, state: JSON.parse(textOfState(definition, this.state)) };
    }

    override loadState(saved: AgentState): void | Promise<void> {
      if (ownsState) return super.loadState(saved);
      const { version, state } = versionOf(saved);
      this.state = stateOfValue(definition, state, { version, agent: `${this.id}`, isStored: false });
      return this[slotKey].saveNow();
    }
  }
  Object.defineProperty(Persistent, definitionKey, { value: definition });
  return Persistent;
}

/**
 * Throws the error of a turn that has lost its state and still runs: nothing of it is kept. The agent has another activation by now, whose
 * turn must not send its effects.
 */
function assertNotLost({ lostInTurn }: StateSlot): void {
  if (lostInTurn !== undefined) throw lostInTurn.error;
}

/** Returns a saved state with its version. 0: a state alone, of the present version. */
function versionOf(saved: AgentState): { readonly version: number; readonly state: unknown } {
  const { version, state } = saved;
  const isVersioned = typeof version === "number" && typeof state === "object" && Object.keys(saved).length === 2;
  return isVersioned ? { version, state } : { version: 0, state: saved };
}
