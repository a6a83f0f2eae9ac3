import {
  type Agent,
  assertNotAborted,
  followAbort,
  joinSignals,
  type RegisterFactoryOptions,
  type Subscription,
  unfollowAbort,
  type WaitOptions,
} from "../../core/internal.ts";
import type { HostRegistry } from "./host-registry.ts";
import { TypeTakenError } from "./refusal.ts";
import { type TakenWaitOptions, waitWhileTaken } from "./taken-wait.ts";

interface Patient extends WaitOptions {
  /** Ends the wait for the signal. */
  readonly settle: () => void;
}

/** The types that were registered before the start, and that wait there until another worker leaves them (`whenTaken`). */
export class PatientTypes {
  readonly #settings: Pick<TakenWaitOptions, "clock" | "random" | "logger">;
  readonly #takeBack: (type: string, subscriptions: readonly Subscription[]) => void;
  readonly #types = new Map<string, Patient>();

  /** `takeBack`: removes a type here, with its subscriptions. */
  constructor(
    settings: Pick<TakenWaitOptions, "clock" | "random" | "logger">,
    takeBack: (type: string, subscriptions: readonly Subscription[]) => void,
  ) {
    this.#settings = settings;
    this.#takeBack = takeBack;
  }

  /** Notes that the start waits for the type. An abort before the host has the type takes the registration back. */
  add(type: string, { signal, subscriptions = [] }: RegisterFactoryOptions<Agent>): void {
    const onAbort = () => {
      this.#types.delete(type);
      this.#takeBack(type, subscriptions);
      this.#settings.logger.warn(
        `The signal of the registration of agent type ${type} has aborted. The type is removed.`,
      );
    };
    followAbort(signal, onAbort);
    this.#types.set(type, { signal, settle: () => unfollowAbort(signal, onAbort) });
  }

  /** Registers a type at a host. One of these waits while another worker serves it; others are refused then. */
  async announce(type: string, host: HostRegistry, signal: AbortSignal): Promise<void> {
    const own = this.#types.get(type);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await host.registerType(type);
        assertNotAborted({ signal: own?.signal }, `The registration of agent type ${type}`);
        own?.settle();
        this.#types.delete(type);
        return;
      } catch (error) {
        if (own === undefined || !(error instanceof TypeTakenError)) throw error;
        const either = joinSignals(signal, own.signal);
        try {
          await waitWhileTaken(type, error, { ...this.#settings, attempt, signal: either.signal });
        } finally {
          either.letGo();
        }
      }
    }
  }
}
