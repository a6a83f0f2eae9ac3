import { errorText, loggableText, TroupeError } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";
import { backOffMs, type ConnectingStep, hintOf } from "../connection/connect-with-retry.ts";
import { sleepMs } from "../connection/time-limits.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { HostRegistry } from "./host-registry.ts";
import { SubscriptionTakenError, TypeTakenError } from "./refusal.ts";

export interface ReRegistrationOptions {
  readonly registry: HostRegistry;
  readonly settings: Pick<WorkerSettings, "reconnect" | "random" | "clock" | "logger">;
  /** Whether this worker had the client id on an earlier connection. */
  readonly isOldClientId: (clientId: string) => boolean;
  /** Agent types that another worker serves by now. `ReRegistration` updates the set, which all connections share. */
  readonly elsewhere: Set<string>;
  readonly onWaiting: (step: ConnectingStep) => void;
  readonly signal: AbortSignal;
}

/** Milliseconds for which the worker retries a type that another worker serves. Its other registrations wait meanwhile. */
const foreignPatienceMs = 2_000;
/** The same when the refusal names no owner, who may be this worker under its old client id. */
const unnamedPatienceMs = 30_000;
const refusalsBeforeWarning = 5;

/**
 * Registers at a host after a reconnect. The host may still know the worker under its old client id; the registry then retries
 * until the host accepts. It leaves a type that another worker serves by now to that worker, and registers the rest.
 */
// protocol.md W1, §2.2
export class ReRegistration implements HostRegistry {
  readonly #options: ReRegistrationOptions;
  /** Types that the host has taken: it knows nothing of this worker's old client id any more that stands in their way. */
  readonly #taken = new Set<string>();
  /** Until then the host takes no registration, as it has said. */
  #notBeforeMs = 0;

  constructor(options: ReRegistrationOptions) {
    this.#options = options;
  }

  async registerType(agentType: string): Promise<void> {
    const { registry, elsewhere, settings } = this.#options;
    const wasElsewhere = elsewhere.has(agentType);
    const refusal = await this.#insist(() => registry.registerType(agentType), { isAskedOnce: wasElsewhere });
    if (refusal === undefined) {
      this.#taken.add(agentType);
      if (elsewhere.delete(agentType))
        settings.logger.info(
          `Agent type ${agentType} is served by this worker again.`,
          undefined,
          "An agent type is served by this worker again",
        );
      return;
    }
    elsewhere.add(agentType);
    if (wasElsewhere) return;
    settings.logger.warn(
      `Agent type ${agentType} is left to another worker: ${loggableText(refusal)} It is asked for again when this worker next comes to a host.`,
      undefined,
      "An agent type is left to another worker",
    );
  }

  /**
   * Adds a subscription, unless another worker serves its type: the subscription would have no effect then. It leaves out one that
   * the host refuses for too long, and registers the rest.
   */
  // protocol.md H17
  async addSubscription(subscription: WireSubscription): Promise<void> {
    const { registry, elsewhere, settings } = this.#options;
    const { id, pattern } = subscription;
    const agentType = pattern?.agentType ?? "";
    if (elsewhere.has(agentType)) return;
    const isForeign = this.#taken.has(agentType);
    const refusal = await this.#insist(() => registry.addSubscription(subscription), { isForeign });
    if (refusal === undefined) return;
    settings.logger.warn(
      `Subscription ${loggableText(id)} for agent type ${agentType} is left out. The host says: ${loggableText(refusal)}. It is asked for again when this worker next comes to a host.`,
      undefined,
      "A subscription is left out",
    );
  }

  removeSubscription(subscription: WireSubscription): Promise<void> {
    return this.#options.registry.removeSubscription(subscription);
  }

  subscriptions(): Promise<readonly WireSubscription[] | undefined> {
    return this.#options.registry.subscriptions();
  }

  /**
   * Retries a registration until the host accepts it. Resolves to the refusal when another worker keeps the type. Rejects when
   * the host knows the old client id for too long, or fails otherwise. `isForeign`: a refusal can't be due to that id.
   */
  async #insist(
    call: () => Promise<void>,
    how: { readonly isAskedOnce?: boolean; readonly isForeign?: boolean },
  ): Promise<string | undefined> {
    const { settings, isOldClientId, onWaiting, signal } = this.#options;
    const { reconnect, random, clock, logger } = settings;
    const startMs = clock.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Another registration has been told to wait: this one would hear the same.
        const leftMs = this.#notBeforeMs - clock.now();
        if (leftMs > 0) await sleepMs(leftMs, clock, signal);
        await call();
        return undefined;
      } catch (error) {
        if (this.#isToWait(error, attempt)) continue;
        if (!(error instanceof TroupeError) || error.code !== "already-exists") throw error;
        const { refusal: message, owner, isForeign } = error instanceof TypeTakenError ? error : ownerless(error, how);
        const delayMs = backOffMs(attempt - 1, reconnect, random);
        const isLast = attempt >= reconnect.maxAttempts;
        if (owner !== undefined && isOldClientId(owner)) {
          if (isLast) throw error;
          if (attempt === refusalsBeforeWarning)
            logger.warn(`The host has not missed this worker's lost connection in ${attempt} attempts: ${message}`);
        } else {
          const patienceMs = owner === undefined && !isForeign ? unnamedPatienceMs : foreignPatienceMs;
          if (how.isAskedOnce === true || isLast || clock.now() + delayMs - startMs > patienceMs) return message;
        }
        logger.debug(`The host refuses a registration: ${message}`, undefined, "The host refuses a registration");
        onWaiting({ at: "waiting", delayMs, reason: message });
        await sleepMs(delayMs, clock, signal);
      }
    }
  }

  // protocol.md §2.5
  /**
   * Whether a quota of the host has refused a registration, and names a time. Then all registrations wait so long, and up to half as long again by
   * chance, since other workers wait for the same. What is registered stays, so that a worker with many types does not begin anew each time.
   */
  #isToWait(error: unknown, attempt: number): boolean {
    const { settings, onWaiting } = this.#options;
    const { reconnect, random, clock } = settings;
    const hintMs = hintOf(error);
    if (hintMs === 0 || attempt >= reconnect.maxAttempts) return false;
    const delayMs = Math.round(hintMs * (1 + random() / 2));
    this.#notBeforeMs = Math.max(this.#notBeforeMs, clock.now() + delayMs);
    onWaiting({ at: "waiting", delayMs, reason: errorText(error) });
    return true;
  }
}

/** A refused subscription: the host does not say whose it is. */
function ownerless(
  error: TroupeError,
  { isForeign = false }: { readonly isForeign?: boolean },
): Pick<TypeTakenError, "refusal" | "owner" | "isForeign"> {
  return {
    refusal: error instanceof SubscriptionTakenError ? error.refusal : error.message,
    owner: undefined,
    isForeign,
  };
}
